package main_test

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/estela-dev/estela/services/internal/browsertest"
)

// figure is the text of what a figure's name marks.
func figure(name string) string {
	return `document.querySelector("[data-text='` + name + `']").textContent`
}

// TestE2EPage uses the pages as people do, while flights are published.
func TestE2EPage(t *testing.T) { //nolint:tparallel // its parts share a browser and a server, which the last one ends
	t.Parallel()
	dir := t.TempDir()
	s := up(t, dir, "--rate", "3000")
	browser := browsertest.Start(t)
	root := "http://" + s.api

	t.Run("figures move", func(t *testing.T) {
		tab := browser.Open(t)
		tab.Go(root + "/")
		tab.Text(`window.loaded = true`)
		before := tab.Text(figure("total.flights"))
		points := tab.Text(`document.querySelector("[data-line='stored.flights']").getAttribute("points")`)
		tab.Await("the total grows", figure("total.flights")+` !== "`+before+`"`)
		tab.Await("a rate is shown", figure("stored.flights")+` !== "0"`)
		tab.Await("the line gets points", `document.querySelector("[data-line='stored.flights']").getAttribute("points") !== "`+points+`"`)
		tab.Await("what was checked", `document.querySelector("[data-live-findings] .well, [data-live-findings] .findings")`)
		if tab.Text(`window.loaded`) != "true" {
			t.Error("the page was loaded again")
		}
	})
	t.Run("without script", func(t *testing.T) {
		scripted, plain := browser.Open(t), browser.Open(t, browsertest.WithoutScript)
		const parts = `[...document.querySelectorAll("h1, h2, h3, th, dt, a")].map(e => e.textContent).join()`
		scripted.Go(root + "/")
		plain.Go(root + "/")
		if with, without := scripted.Text(parts), plain.Text(parts); with != without {
			t.Errorf("with script\n%s\nwithout\n%s", with, without)
		}
		first := plain.Text(figure("shard.stored.flights.0"))
		eventually(t, "more is stored", func() error {
			plain.Go(root + "/")
			if now := plain.Text(figure("shard.stored.flights.0")); now == first {
				return fmt.Errorf("still %s", now)
			}
			return nil
		})
	})
	t.Run("language", func(t *testing.T) {
		tab := browser.Open(t, browsertest.Language("es-CL,es;q=0.9,en;q=0.5"))
		shown := func(title, lang, total string) {
			t.Helper()
			tab.Await(title, `document.querySelector("h1")?.textContent === "`+title+`" && document.documentElement.lang === "`+lang+`"`)
			tab.Await("the total's separator", `/^\d{1,3}([`+total+`]\d{3})*$/.test(`+figure("total.flights")+`)`)
		}
		tab.Go(root + "/")
		shown("Resumen", "es", ".")
		tab.Do(chromedp.Click(chromedp.CSS(".languages a")))
		shown("Overview", "en", ",")
		tab.Do(chromedp.Click(chromedp.CSS("nav a[aria-current]")))
		tab.Await("the language stays", `location.search === "?lang=en" && document.querySelector("h1")?.textContent === "Overview"`)
		tab.Do(chromedp.Evaluate[chromedp.Void]("history.back()")) // a link to the same page is no step
		shown("Resumen", "es", ".")
		tab.Go(root + "/?lang=en")
		shown("Overview", "en", ",")
	})
	t.Run("keyboard", func(t *testing.T) {
		keyboard(t, browser, root)
	})
	t.Run("crawl", func(t *testing.T) {
		crawl(t, browser, root)
	})
	t.Run("restart", func(t *testing.T) {
		tab := browser.Open(t)
		tab.Go(root + "/")
		tab.Await("live", `source?.readyState === EventSource.OPEN`)
		if code := s.interrupt(); code != 0 {
			t.Fatalf("Ctrl-C: exit %d", code)
		}
		tab.Await("stale", `document.body.classList.contains("stale")`)
		again := &system{process: start(t, "up", "--data-dir", dir, "--listen", s.api, "--ops-listen", s.ops, "--no-sample"), dir: dir, api: s.api, ops: s.ops}
		again.awaitReady()
		tab.Await("live again", `!document.body.classList.contains("stale")`)
		before := tab.Text(figure("shard.committed.flights.0"))
		tab.Await("figures move again", figure("shard.committed.flights.0")+` !== "`+before+`"`)
		tab.Go("about:blank") // before the server ends
		for _, p := range tab.Problems() {
			if !strings.Contains(p, "ERR_CONNECTION_REFUSED") && !strings.Contains(p, "ERR_INCOMPLETE_CHUNKED_ENCODING") && !strings.Contains(p, "503") {
				t.Errorf("beside the server's end: %s", p)
			}
		}
	})
}

// keyboard reaches all that a mouse does, and sees where it is.
func keyboard(t *testing.T, browser *browsertest.Browser, root string) {
	t.Helper()
	tab := browser.Open(t)
	tab.Go(root + "/")
	const at = `(e => e === document.body ? "" : e.href || e.id || e.tagName + e.getAttribute("aria-labelledby"))(document.activeElement)`
	reached := map[string]bool{}
	tab.Press(kb.Tab)
	first := tab.Text(at)
	if first != root+"/#main" {
		t.Errorf("the first is %q", first)
	}
	if box := tab.Text(`(b => b.left >= 0 && b.top >= 0 && b.width > 0)(document.activeElement.getBoundingClientRect())`); box != "true" {
		t.Error("the skip link is not seen when it has the focus")
	}
	for now := first; now != "" && (len(reached) <= 1 || now != first); now = tab.Text(at) {
		reached[now] = true
		if tab.Text(`(s => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2)(getComputedStyle(document.activeElement))`) != "true" {
			t.Errorf("%s: the focus is not seen", now)
		}
		if len(reached) > 500 {
			t.Fatal("the focus goes nowhere")
		}
		tab.Press(kb.Tab)
	}
	for _, want := range append(tab.Texts(`[...document.querySelectorAll("a")].map(a => a.href)`), "DIVshards", "DIVobjectives") {
		if !reached[want] {
			t.Errorf("%s is not reached", want)
		}
	}
	tab.Go(root + "/")
	tab.Press(kb.Tab)
	tab.Press(kb.Enter)
	tab.Await("skipped", `document.activeElement.id === "main"`)
	tab.Press(kb.Tab)
	if now := tab.Text(`document.activeElement.closest("main") !== null`); now != "true" {
		t.Errorf("after the skip link comes %s", tab.Text(at))
	}
}

// maxPages bounds a crawl, and maxQueries how many of its pages may differ in their query only.
const maxPages, maxQueries = 30, 2

// crawler follows the links of pages.
type crawler struct {
	browser *browsertest.Browser
	root    string
	// pages are the URLs in the order in which they were found, seen are the same, queries count them by path, forms are
	// those that were sent, by their path and fields.
	seen    map[string]bool
	queries map[string]int
	forms   map[string]bool
	pages   []string
}

// crawl opens every page that links lead to, in both languages and colours, and sends every form.
func crawl(t *testing.T, browser *browsertest.Browser, root string) {
	t.Helper()
	c := &crawler{browser: browser, root: root, seen: map[string]bool{}, queries: map[string]int{}, forms: map[string]bool{}}
	c.note("/?lang=en")
	light, dark := browser.Open(t), browser.Open(t, browsertest.Dark, browsertest.Phone)
	opened := 0
	for i := 0; i < len(c.pages) && opened < maxPages; i++ {
		at := c.pages[i]
		status, html := c.get(t, at)
		if status != http.StatusOK {
			t.Errorf("%s: status %d", at, status)
		}
		if !html { // a download: one of its kind is enough
			c.queries[pathOf(at)] = maxQueries
			continue
		}
		opened++
		c.check(t, light, at)
		for _, link := range light.Texts(`[...document.querySelectorAll("a[href]")].map(a => a.href)`) {
			if path, ok := strings.CutPrefix(link, root); ok {
				path, _, _ = strings.Cut(path, "#")
				c.note(path)
			}
		}
		c.sendForms(t, light, at)
		if c.queries[pathOf(at)] == 1 { // of the pages that differ in their query, the first
			c.check(t, dark, strings.Replace(at, "lang=en", "lang=es", 1))
			if dark.Text(`document.documentElement.scrollWidth > innerWidth`) != "false" {
				t.Errorf("%s: it is wider than a phone", at)
			}
		}
	}
	t.Logf("%d pages and %d forms of %s", opened, len(c.forms), strings.Join(c.pages, " "))
}

func pathOf(target string) string {
	path, _, _ := strings.Cut(target, "?")
	return path
}

func (c *crawler) note(target string) {
	if !c.seen[target] && c.queries[pathOf(target)] < maxQueries && !strings.Contains(target, "lang=es") {
		c.seen[target] = true
		c.queries[pathOf(target)]++
		c.pages = append(c.pages, target)
	}
}

// get asks without a browser, which would download what is no page.
func (c *crawler) get(t *testing.T, target string) (status int, html bool) {
	t.Helper()
	res, err := http.Get(c.root + target)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Errorf("%s: %v", target, err)
	}
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return res.StatusCode, mediaType == "text/html"
}

// check opens a page and looks at what each must be.
func (c *crawler) check(t *testing.T, tab *browsertest.Tab, target string) {
	t.Helper()
	tab.Go(c.root + target)
	if shape := tab.Text(`[document.querySelectorAll("h1").length, document.title.endsWith(" - Estela"), document.querySelectorAll("script").length]`); shape != "1,true,1" {
		t.Errorf("%s: headings, title, scripts: %s", target, shape)
	}
	for _, b := range tab.Barriers() {
		t.Errorf("%s: %s", target, b)
	}
	for _, p := range tab.Problems() {
		t.Errorf("%s: %s", target, p)
	}
}

// scripted is no value of any field, and a script if it is not escaped.
const scripted = `'"><script>alert(1)</script>`

// sendForms sends the forms of the page that is open as they are, and with values that nobody means.
func (c *crawler) sendForms(t *testing.T, tab *browsertest.Tab, at string) {
	t.Helper()
	const query = `(f => new URL(f.action).pathname + "?" + new URLSearchParams(new FormData(f)))`
	const spoil = `for (const e of document.querySelectorAll("form input:not([type=hidden]), form select, form textarea")) {
		if (e.tagName === "SELECT") e.append(new Option("", hostile));
		if (e.type === "checkbox" || e.type === "radio") e.checked = true;
		else if (e.tagName === "INPUT") e.type = "text";
		e.value = hostile;
	}`
	all := `[...document.forms].map(f => f.method + " " + ` + query + `(f))`
	asIs := tab.Texts(all)
	spoilt := tab.Texts(`(hostile => { ` + spoil + ` return ` + all + ` })(` + fmt.Sprintf("%q", scripted) + `)`)
	for i, form := range asIs {
		method, target, _ := strings.Cut(form, " ")
		if method != "get" {
			t.Errorf("%s: a form is sent by %s", at, method)
		}
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		var fields []string
		for name := range u.Query() {
			fields = append(fields, name)
		}
		slices.Sort(fields)
		kind := u.Path + " " + strings.Join(fields, " ")
		if c.forms[kind] {
			continue
		}
		c.forms[kind] = true
		c.send(t, tab, target, http.StatusOK, http.StatusBadRequest) // a field may be required
		_, target, _ = strings.Cut(spoilt[i], " ")
		c.send(t, tab, target, http.StatusOK, http.StatusBadRequest, http.StatusNotFound)
	}
}

// send opens what a form asks for.
func (c *crawler) send(t *testing.T, tab *browsertest.Tab, target string, statuses ...int) {
	t.Helper()
	status, html := c.get(t, target)
	if !slices.Contains(statuses, status) {
		t.Errorf("the form's %s: status %d, want one of %d", target, status, statuses)
	}
	if html {
		c.check(t, tab, target)
	}
}

// TestE2EPageWithKey opens pages that need a key with the browser's password, which its fetches use too.
func TestE2EPageWithKey(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), ownDataset(t)
	keys := filepath.Join(dir, "keys.json")
	newKey := func(name string, more ...string) string {
		return strings.TrimSpace(must(t, "", append([]string{"key", "new", name, "--data", data, "--append", "--keys", keys}, more...)...))
	}
	team, partner := newKey("team", "--inspect"), newKey("partner", "--dataset", "readings")
	s := up(t, filepath.Join(dir, "run"), "--data", data, "--keys", keys)
	browser := browsertest.Start(t)
	root := "http://" + s.api + "/"
	for name, c := range map[string]struct {
		key    string
		status int
	}{"none": {"", http.StatusUnauthorized}, "wrong": {"estela_wrong", http.StatusUnauthorized}, "team": {team, http.StatusOK}, "partner": {partner, http.StatusOK}} {
		tab := browser.Open(t, browsertest.Password(c.key))
		if status := tab.Go(root); status != c.status {
			t.Errorf("%s: status %d, want %d", name, status, c.status)
		}
		if live := tab.Text(`document.querySelector("[data-live]") !== null`); live != fmt.Sprint(name == "team") {
			t.Errorf("%s: live figures: %s", name, live)
		}
		if name == "team" {
			tab.Await("live", `source?.readyState === EventSource.OPEN`)
			must(t, fmt.Sprintf(`{"id":"%d","measured_at":"2026-01-01T00:00:00Z","celsius":21.5}`, time.Now().UnixNano()), "publish", "readings", "--data", data, "--data-dir", s.dir)
			tab.Await("the event", figure("total.readings")+` === "1"`)
			tab.Go(root + "?lang=es")
			tab.Await("the password is kept", `document.querySelector("h1")?.textContent === "Resumen"`)
		}
		if text := tab.Text(`document.documentElement.outerHTML + location.href + document.cookie + JSON.stringify([{...localStorage}, {...sessionStorage}])`); c.key != "" && strings.Contains(text, c.key) {
			t.Errorf("%s: the page has the key: %s", name, text)
		}
	}
}
