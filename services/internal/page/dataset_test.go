package page_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/page"
)

// asking is a visit whose API answers with what a test says.
type asking struct {
	visit

	ask func(file string, query url.Values) (status int, body string)
}

func (r asking) Ask(file string, query url.Values) (int, http.Header, []byte, error) {
	status, body := r.ask(file, query)
	return status, nil, []byte(body), nil
}

// streams locate what a test says.
type streams func(asked string) (page.Located, error)

func (streams) Stream(c *contract.Contract, _ int) (url, key string) { return "", c.Name }
func (s streams) Locate(_ context.Context, _, asked string) (page.Located, error) {
	return s(asked)
}

const readings = `{"type": "object", "x-estela": {"key": "id", "time": "at", "retention": "7d", "dedupe": "90m"}, "additionalProperties": false, "required": ["id", "at"], "properties": {
	"id": {"type": "string", "minLength": 1, "maxLength": 9, "description": "<script>x</script>"}, "at": {"type": "string", "format": "date-time"},
	"celsius": {"type": ["number", "null"], "exclusiveMinimum": -274, "maximum": 60, "multipleOf": 0.5, "x-estela": {"unit": "°C", "aliases": ["temp"]}},
	"sky": {"type": "string", "enum": ["clear", "<b>"], "default": "clear"}, "tags": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string", "const": "n"}}}}}}`

// readingsPages are the pages of the dataset readings.
func readingsPages(t *testing.T, v page.Visit, s page.Streams) *fiber.App {
	t.Helper()
	c, err := contract.Parse("readings", "contract.json", []byte(readings))
	if err != nil {
		t.Fatal(err)
	}
	pages := page.New(page.Config{Streams: s, Contracts: []*contract.Contract{c}, Logger: slog.New(slog.DiscardHandler)})
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/*", func(c *fiber.Ctx) error { return pages.Serve(c, v) })
	return app
}

var (
	inspector = visit{inspects: true, datasets: []endpoint.Dataset{{Name: "readings"}}}
	late      = `{"title": "Query took too long", "detail": "It ran into its time limit."}`
)

// Rows and what is made of them are for those who inspect.
func TestDatasetsNeedTheRightToInspect(t *testing.T) {
	t.Parallel()
	app := readingsPages(t, visit{datasets: inspector.datasets}, nil)
	for _, path := range []string{"", "/counts", "/rows", "/event", "/profile"} {
		if status, _, body := get(t, app, "/datasets/readings"+path); status != http.StatusForbidden || !strings.Contains(body, "estela key new NAME --inspect") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _, _ := get(t, readingsPages(t, visit{inspects: true}, nil), "/datasets/readings/rows"); status != http.StatusNotFound {
		t.Errorf("a dataset that is not open: %d", status)
	}
}

// The contract is told in words.
func TestContractInWords(t *testing.T) {
	t.Parallel()
	v := asking{inspector, func(string, url.Values) (int, string) {
		return http.StatusOK, `{"data":[{"n":9007199254740993,"a":"2026-01-01T00:00:00Z","b":"2026-01-02T00:00:00Z","c":"2025-01-01T00:00:00Z","d":"2025-02-01T00:00:00Z"}],"meta":{"next":null}}`
	}}
	app := readingsPages(t, v, nil)
	for path, all := range map[string][]string{
		"/datasets/readings": {
			"an event whose key was stored within 1h30m is dropped", "7 days", "&lt;script&gt;x&lt;/script&gt;", "may be null", "more than -274", "at most 60", "a multiple of 0.5",
			"°C", "also called temp", "one of clear, &lt;b&gt;", "at most 9 characters", "list of: object", "tags[].name", "always n", "refused", "clear is meant where it is absent",
			"9,007,199,254,740,993", "by=day", "curl ", "The event below is one that the contract takes.",
		},
		"/datasets/readings?lang=es": {"se descarta un evento cuya clave se almacenó en un plazo de 1h30m", "uno de clear", "9.007.199.254.740.993"},
	} {
		_, _, body := get(t, app, path)
		for _, want := range all {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %s in\n%s", path, want, body)
			}
		}
	}
}

// What runs out of time is said, and the rest is shown.
func TestOutOfTime(t *testing.T) {
	t.Parallel()
	app := readingsPages(t, asking{inspector, func(file string, _ url.Values) (int, string) {
		switch {
		case !strings.Contains(file, "-- limit: time="):
			t.Error("without a time limit", file)
		case strings.Contains(file, `count("celsius")`), strings.Contains(file, "SELECT count(*) FROM"), strings.Contains(file, "-- What is stored."):
			return http.StatusServiceUnavailable, late
		case strings.Contains(file, "-- order:"):
			return http.StatusOK, `{"data":[{"id":"<i>","at":"2026-01-01T00:00:00Z","celsius":null,"sky":"","tags":"[]","_ingested_at":"2026-01-01T00:00:00Z","_shard":0,"_stream_ms":1,"_stream_seq":2,"_line":0}],"meta":{"next":"there's more&"}}`
		}
		return http.StatusOK, `{"data":[{"rows":3,"some":3,"distinct":4,"low":"a","high":"a"}],"meta":{"next":null}}`
	}}, nil)
	for path, want := range map[string][]string{
		"/datasets/readings":         {"It ran into its time limit.", "Send an event"},
		"/datasets/readings/rows":    {"How many rows match is not known", "&lt;i&gt;", `<span class="null">NULL</span>`, "cursor=there%27s&#43;more%26"},
		"/datasets/readings/profile": {"Not computed: the time ran out.", "Some columns are missing", "≈ 3"},
	} {
		status, _, body := get(t, app, path)
		for _, want := range want {
			if status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s: %d, no %s in\n%s", path, status, want, body)
			}
		}
	}
}

// More rows than a download has are refused, in words.
func TestDownloadOfTooMany(t *testing.T) {
	t.Parallel()
	app := readingsPages(t, asking{inspector, func(string, url.Values) (int, string) {
		return http.StatusOK, `{"data":[{"n":100001}],"meta":{}}`
	}}, nil)
	if status, header, body := get(t, app, "/datasets/readings/rows?format=csv"); status != http.StatusBadRequest || !strings.Contains(body, "More rows match than the 100,000 of a download") || header.Get("Content-Disposition") != "" {
		t.Errorf("%d %v %s", status, header, body)
	}
}

// A key with outer spaces is found as it is, and one that was typed with some, too.
func TestSpacesOfKeys(t *testing.T) {
	t.Parallel()
	app := readingsPages(t, asking{inspector, func(string, url.Values) (int, string) {
		return http.StatusOK, `{"data":[],"meta":{"next":null}}`
	}}, streams(func(asked string) (page.Located, error) {
		if asked == " spaced " || asked == "plain" {
			return page.Located{Events: []page.Event{{Key: asked, State: "stored"}}}, nil
		}
		return page.Located{}, nil
	}))
	for asked, want := range map[string]int{"%20spaced%20": 200, "plain": 200, "%20plain": 200, "spaced": 404, "%20": 404} {
		if status, _, body := get(t, app, "/datasets/readings/event?key="+asked); status != want {
			t.Errorf("%q: %d\n%s", asked, status, body)
		}
	}
}

// Every state of an event is told with what it means.
func TestJourney(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 1000, time.UTC)
	app := readingsPages(t, asking{inspector, func(string, url.Values) (int, string) {
		return http.StatusOK, `{"data":[],"meta":{"next":null}}`
	}}, streams(func(asked string) (page.Located, error) {
		switch asked {
		case "broken":
			return page.Located{}, errors.New("redis is <b>gone</b>")
		case "nobody":
			return page.Located{Searched: "tables and rejects"}, nil
		}
		e := page.Event{State: asked, Key: "<i>", ID: "1-2", Line: 3, PublishedAt: at, CommittedAt: at.Add(1500 * time.Millisecond), Position: "5-6", Violations: []string{"/a: <b>"}}
		switch asked {
		case "duplicate":
			e.DuplicateOf = "0-9"
		case "astray":
			e.Stream = "estela:{old:0}"
		}
		return page.Located{Events: []page.Event{e}}, nil
	}))
	for asked, want := range map[string]string{
		"waiting": "not stored up to it yet", "stored": "1.5 s", "rejected": "It violates the contract", "duplicate": "key=0-9", "unsettled": "estela replay readings",
		"astray": "estela:{old:0}", "nobody": "tables and rejects", "broken": "redis is &lt;b&gt;gone",
	} {
		status, _, body := get(t, app, "/datasets/readings/event?key="+asked)
		if wanted := map[bool]int{true: http.StatusNotFound, false: http.StatusOK}[asked == "nobody"]; status != wanted || !strings.Contains(body, want) {
			t.Errorf("%s: %d, no %s in\n%s", asked, status, want, body)
		}
		if strings.Contains(body, `href="/datasets/readings/rejects/0/1-2/3"`) != (asked == "rejected") {
			t.Errorf("%s: a link to the reject, or none, in\n%s", asked, body)
		}
		if !strings.Contains(body, "<title>readings: Find an event - Estela</title>") {
			t.Errorf("%s: the title does not name the page in\n%s", asked, body)
		}
		if strings.Contains(body, "<b>") || strings.Contains(body, "<i>") {
			t.Errorf("%s: markup of an event's in\n%s", asked, body)
		}
	}
}
