"""Uses the generated client, and prints a line of JSON for each thing that it did."""
# pyright: basic, reportUnnecessaryTypeIgnoreComment=true

import base64
import datetime as dt
import decimal
import itertools
import json
import sys
import uuid
from dataclasses import fields, is_dataclass

import client as estela

url, key, slow_key, silent = sys.argv[1:]

# What a column is called, by what the field is called.
RENAMED = {
    "class_": "class", "from_": "from", "self_": "self", "int_": "int", "foo_bar_2": "foo_bar", "x2x": "2x", "a_b": "a,b", "quo_te": "quo\"te`\\",
    "proto": "__proto__", "x": "-", "x_2": "\n", "float_": "float", "中": "中",
}
NAMES = {**RENAMED, "foo_bar": "fooBar"}
ALL = {"float_": "float", "list_": "list"}


def show(value, names={}):
    """JSON with every digit."""
    if is_dataclass(value):
        return show({names.get(f.name, f.name): getattr(value, f.name) for f in fields(value)})
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, dt.datetime):
        return json.dumps(value.isoformat().replace("+00:00", "Z"))
    if isinstance(value, (dt.date, uuid.UUID)):
        return json.dumps(str(value))
    if isinstance(value, bytes):
        return json.dumps(base64.b64encode(value).decode())
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(show(one, names) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(name) + ":" + show(one, names) for name, one in value.items()) + "}"
    return json.dumps(value)


def print_line(line, names={}):
    print(show(line, names))


def every(get, pages, names={}):
    all_pages = list(pages.pages())
    rows = [row for page in all_pages for row in page.rows]
    print_line({"get": get, "rows": rows, "pages": len(all_pages), "asOf": all_pages[-1].as_of}, names)


def one(get, page, names={}):
    print_line({"get": get, "rows": page.rows, "pages": 1, "asOf": page.as_of}, names)


def fails(name, call):
    try:
        call()
    except estela.ProblemError as error:
        print_line({
            "fails": name, "kind": type(error).__name__, "status": error.status, "type": error.type, "title": error.title, "detail": error.detail,
            "parameter": error.parameter or "", "requestId": error.request_id or "", "retryAfter": error.retry_after or 0,
        })
    except Exception as error:
        print_line({"fails": name, "kind": type(error).__name__})
    else:
        print_line({"fails": name, "kind": "nothing"})


client = estela.Client(url + "/", key=key)
utc = dt.timezone.utc
every("/v1/flights/airports?state=TX", client.flights_airports(state="TX", limit=7))
one("/v1/flights/delays?width=30", client.flights_delays(width=30))
since = dt.datetime(2001, 1, 5, 19, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
every("/v1/flights/departures?airport=ATL&since=2001-01-06T00:00:00Z", client.flights_departures(airport="ATL", since=since, limit=300))
every("/v1/flights/events?until=2001-01-01T13:00:00Z", client.flights_events(until=dt.datetime(2001, 1, 1, 13, tzinfo=utc), limit=200))
every("/v1/flights/punctuality?by=day", client.flights_punctuality(by="day"))
every("/v1/flights/routes?min_flights=200", client.flights_routes(min_flights=200))
every("/v1/kinds/all", client.kinds_all(limit=1), ALL)
one("/v1/kinds/names?from=%22%5C", client.kinds_names(from_='"\\'), NAMES)
one(
    "/v1/kinds/names?class=a%26b%20c&from=&self=-9007199254740993&number=1e%2B300&truth=false&day=2024-02-29&at=2024-02-29T23:00:00.5Z"
    "&id=0123abcd-0000-4000-8000-000000000000&level=9007199254740993&color=dark%20red&row=a",
    client.kinds_names(
        class_="a&b c", from_="", self_=-9007199254740993, number=1e300, truth=False, day=dt.date(2024, 2, 29),
        at=dt.datetime(2024, 3, 1, 0, 0, 0, 500000, dt.timezone(dt.timedelta(hours=1))),
        id=uuid.UUID("0123abcd-0000-4000-8000-000000000000"), level=9007199254740993, color="dark red", row="a",
    ),
    NAMES,
)
one("/v1/kinds/by-day", client.kinds_by_day())
one("/v1/kinds/by_day", client.kinds_by_day_2())

# Each page is asked for when it is needed, and a cursor goes on where a page ended.
taken = len(list(itertools.islice(client.flights_events(limit=10), 15)))
first = next(client.flights_routes(limit=2).pages())
second = next(client.flights_routes(limit=2, cursor=first.next).pages())
print_line({"taken": taken, "rows": first.rows + second.rows, "get": "/v1/flights/routes?limit=4"})

fails("parameter", lambda: client.flights_delays(width=7))  # pyright: ignore[reportArgumentType]
fails("page", lambda: list(client.flights_events(cursor="no")))
fails("no key", lambda: estela.Client(url).flights_delays())
fails("rate", lambda: [estela.Client(url, key=slow_key).flights_delays() for _ in range(20)])
fails("proxy", lambda: estela.Client(silent + "/proxy").flights_delays())
fails("timeout", lambda: estela.Client(silent, timeout=0.02).flights_delays())
fails("naive", lambda: client.flights_events(since=dt.datetime(2001, 1, 1)).pages().__next__())
