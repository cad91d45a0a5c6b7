// The live parts of a page: texts, lines and bars by their names, and the list of what is wrong. The page is
// complete without it.
"use strict";

const root = document.querySelector("[data-live]");

// By name: elements don't come and go while the page is open.
const named = (attribute) => {
  const all = new Map();
  for (const e of document.querySelectorAll(`[data-${attribute}]`)) all.set(e.getAttribute(`data-${attribute}`), e);
  return all;
};
const texts = named("text");
const lines = named("line");
const widths = named("width");
const findings = document.querySelector("[data-live-findings]");

function element(name, ...content) {
  const e = document.createElement(name);
  e.append(...content);
  return e;
}

function showFindings(all) {
  const text = JSON.stringify(all);
  if (!findings || all === null || findings.dataset.shown === text) return; // else screen readers would say it again
  findings.dataset.shown = text;
  if (all.length === 0) {
    const p = element("p", findings.dataset.well);
    p.className = "well";
    findings.replaceChildren(p);
    return;
  }
  const list = element("ul");
  list.className = "findings";
  for (const f of all) {
    const item = element("li", element("strong", f.Name), " " + f.Found, element("br"), findings.dataset.fix + ": " + f.Fix);
    item.className = f.Warning ? "warning" : "wrong";
    list.append(item);
  }
  findings.replaceChildren(list);
}

function show(frame) {
  // What the page lacks, such as the datasets of a worker that was starting, comes with the whole page.
  if (Object.keys(frame.text).some((name) => !texts.has(name))) return location.reload();
  for (const [name, text] of Object.entries(frame.text)) {
    const e = texts.get(name);
    if (e && e.textContent !== text) e.textContent = text;
  }
  for (const [name, points] of Object.entries(frame.line)) lines.get(name)?.setAttribute("points", points);
  for (const [name, width] of Object.entries(frame.width)) widths.get(name)?.setAttribute("width", width);
  showFindings(frame.findings);
}

// A browser opens six connections to a server, so only a page that is seen has one.
let source;
function connect() {
  if (document.hidden) {
    source?.close();
    source = undefined;
  } else if (!source) {
    source = new EventSource(root.dataset.live);
    source.onmessage = (event) => show(JSON.parse(event.data));
    source.onopen = () => document.body.classList.remove("stale");
    source.onerror = () => {
      document.body.classList.add("stale");
      if (source?.readyState === EventSource.CLOSED) { // refused: the browser doesn't try again
        source = undefined;
        setTimeout(connect, 5000);
      }
    };
  }
}
if (root) {
  document.addEventListener("visibilitychange", connect);
  connect();
}

// Copy buttons need a script, so a script makes them.
for (const code of document.querySelectorAll("[data-copy]")) {
  const button = element("button", code.dataset.copy);
  button.type = "button";
  button.className = "copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = code.dataset.copied;
    setTimeout(() => { button.textContent = code.dataset.copy; }, 2000);
  });
  code.parentElement.append(button);
}
