// Uses the generated client, and prints a line of JSON for each thing that it did.
import { BadRequestError, Client, Digits, ProblemError, RateLimitedError, UnauthorizedError, type Page, type Pages } from "./client.js";

declare const process: { argv: string[] };
const [url, key, slowKey, silent] = process.argv.slice(2) as [string, string, string, string];

/** JSON with every digit. */
function show(value: unknown): string {
  if (typeof value === "bigint" || value instanceof Digits) return String(value);
  if (Object.is(value, -0)) return "-0";
  if (value instanceof Uint8Array) return JSON.stringify(btoa(String.fromCharCode(...value)));
  if (Array.isArray(value)) return `[${value.map(show).join()}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}:${show(one)}`).join()}}`;
}

const print = (line: Record<string, unknown>) => console.log(show(line));

async function all<Row>(get: string, pages: Pages<Row>) {
  let count = 0;
  let asOf: string | null = null;
  const rows: Row[] = [];
  for await (const page of pages.pages()) {
    count++;
    asOf = page.asOf;
    rows.push(...page.rows);
  }
  print({ get, rows, pages: count, asOf });
}

const one = <Row>(get: string, page: Page<Row>) => print({ get, rows: page.rows, pages: 1, asOf: page.asOf });

async function fails(name: string, call: () => Promise<unknown>) {
  try {
    await call();
    print({ fails: name, kind: "nothing" });
  } catch (error) {
    if (!(error instanceof ProblemError)) return print({ fails: name, kind: (error as Error).name });
    const { status, type, title, detail, parameter, requestId, retryAfter } = error;
    const kinds = { BadRequestError, UnauthorizedError, RateLimitedError };
    const kind = Object.entries(kinds).find(([, kind]) => error instanceof kind)?.[0] ?? "ProblemError";
    print({ fails: name, kind, status, type, title, detail, parameter: parameter ?? "", requestId: requestId ?? "", retryAfter: retryAfter ?? 0 });
  }
}

const client = new Client(url + "/", { key });
await all("/v1/flights/airports?state=TX", client.flightsAirports({ state: "TX", limit: 7 }));
one("/v1/flights/delays?width=30", await client.flightsDelays({ width: 30 }));
await all("/v1/flights/departures?airport=ATL&since=2001-01-06T00:00:00Z", client.flightsDepartures({ airport: "ATL", since: new Date("2001-01-06T00:00:00Z"), limit: 300 }));
await all("/v1/flights/events?until=2001-01-01T13:00:00Z", client.flightsEvents({ until: "2001-01-01T13:00:00Z", limit: 200 }));
await all("/v1/flights/punctuality?by=day", client.flightsPunctuality({ by: "day" }));
await all("/v1/flights/routes?min_flights=200", client.flightsRoutes({ min_flights: 200n }));
await all("/v1/kinds/all", client.kindsAll({ limit: 1 }));
one("/v1/kinds/names?from=%22%5C", await client.kindsNames({ from: '"\\' }));
one(
  "/v1/kinds/names?class=a%26b%20c&from=&self=-9007199254740993&number=1e%2B300&truth=false&day=2024-02-29&at=2024-02-29T23:00:00.5Z" +
    "&id=0123abcd-0000-4000-8000-000000000000&level=9007199254740993&color=dark%20red&row=a",
  await client.kindsNames({
    class: "a&b c", from: "", self: -9007199254740993n, number: 1e300, truth: false, day: "2024-02-29", at: new Date("2024-03-01T00:00:00.500+01:00"),
    id: "0123abcd-0000-4000-8000-000000000000", level: 9007199254740993n, color: "dark red", row: "a",
  }),
);
one("/v1/kinds/by-day", await client.kindsByDay());
one("/v1/kinds/by_day", await client.kindsByDay2());

// Each page is asked for when it is needed, and a cursor goes on where a page ended.
let taken = 0;
for await (const _ of client.flightsEvents({ limit: 10 })) if (++taken === 15) break;
const first = (await client.flightsRoutes({ limit: 2 }).pages().next()).value as Page<unknown>;
const second = (await client.flightsRoutes({ limit: 2, cursor: first.next! }).pages().next()).value as Page<unknown>;
print({ taken, rows: [...first.rows, ...second.rows], get: "/v1/flights/routes?limit=4" });

// @ts-expect-error: no value of the enum
await fails("parameter", () => client.flightsDelays({ width: 7 }));
// @ts-expect-error: the endpoint can't be asked without an airport
() => client.flightsDepartures();
await fails("page", () => client.flightsEvents({ cursor: "no" }).pages().next());
await fails("no key", () => new Client(url).flightsDelays());
await fails("rate", async () => {
  for (let i = 0; i < 20; i++) await new Client(url, { key: slowKey }).flightsDelays();
});
await fails("proxy", () => new Client(silent + "/proxy").flightsDelays());
const stop = new AbortController();
await fails("aborted", () => {
  setTimeout(() => stop.abort(), 20);
  return new Client(silent).flightsDelays({}, { signal: stop.signal });
});
await fails("aborted before", () => client.flightsDelays({}, { signal: stop.signal }));
await fails("timeout", () => new Client(silent, { timeout: 20 }).flightsDelays());
