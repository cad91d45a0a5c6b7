package page_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/page"
	"github.com/estela-dev/estela/services/internal/problem"
)

// reader is a visit that reads one dataset, "things".
type reader struct {
	visit

	guarded, posts bool
	endpoints      []endpoint.Endpoint
	columns        []endpoint.Column
	// answer is the API's.
	answer func(target string) (status int, body string)
}

func (v *reader) Guarded() bool     { return v.guarded }
func (v *reader) Posts(string) bool { return v.posts }

func (v *reader) Datasets() []endpoint.Dataset {
	return []endpoint.Dataset{{Name: "things", Description: "All things.", Endpoints: v.endpoints}}
}

func (v *reader) Problems() []problem.Kind {
	return []problem.Kind{{Slug: "not-found", Title: "Not found", Status: 404, Help: "Look elsewhere."}}
}

func (v *reader) Columns(context.Context, string, string) ([]endpoint.Column, error) {
	return v.columns, nil
}

func (v *reader) Get(target, _ string) (int, http.Header, []byte, error) {
	status, body := v.answer(target)
	return status, http.Header{"Data-As-Of": {"2026-01-31T12:00:00Z"}}, []byte(body), nil
}

// look gets a page.
func look(t *testing.T, cfg page.Config, v page.Visit, target string) (status int, body string) {
	t.Helper()
	s := page.New(cfg)
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/*", func(c *fiber.Ctx) error { return s.Serve(c, v) })
	status, _, body = get(t, app, target)
	return status, body
}

func parsed(t *testing.T, name, text string) endpoint.Endpoint {
	t.Helper()
	e, err := endpoint.Parse("things/endpoints/"+name+".sql", text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// expect checks what a page has and what it lacks, which begins with "!".
func expect(t *testing.T, what, body string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if text, absent := strings.CutPrefix(p, "!"); absent == strings.Contains(body, text) {
			t.Errorf("%s: %q is there: %t, of\n%s", what, text, absent, body)
		}
	}
}

// Each parameter has the input of its type, and the form is filled in as it was sent.
func TestFormFollowsTheHeader(t *testing.T) {
	t.Parallel()
	v := &reader{endpoints: []endpoint.Endpoint{parsed(t, "all", `-- All.
-- param: code string required pattern=^[A-Z]{3}$ -- of three letters
-- param: part string pattern=b+
-- param: n integer minimum=1 maximum=9 default=5
-- param: x number minimum=-0.5
-- param: day date
-- param: since date-time
-- param: late boolean
-- param: color string enum=red,green default=green
-- param: id uuid
-- param: lang string
-- order: a
SELECT $code AS a, $part AS b, $n AS c, $x AS d, $day AS e, $since AS f, $late AS g, $color AS h, $id AS i, $lang AS j`)}}
	asked := ""
	v.answer = func(target string) (int, string) {
		asked = target
		return 200, `{"data":[],"meta":{"rows":0,"next":null}}`
	}
	status, body := look(t, page.Config{}, v, "/docs/things/all")
	if status != 200 || asked != "" {
		t.Errorf("%d, asked %q before the form was sent", status, asked)
	}
	expect(t, "the form", body,
		`<form method="get" action="/docs/things/all">`, `<label for="param-code">code (required)</label>`,
		`name="code" type="text" value="" autocomplete="off" aria-describedby="param-code-hint" required pattern=".*(?:^[A-Z]{3}$).*"`,
		`name="part" type="text"`, `name="n" type="number"`, `min="1" max="9" step="1" placeholder="5"`, `name="x" type="number"`, `min="-0.5" step="any"`,
		`name="day" type="date"`, `name="since" type="datetime-local"`, `since (UTC)`, `<select id="param-late" name="late"`,
		`<option value="" selected></option><option value="true">true</option><option value="false">false</option>`,
		`<option value="red">red</option><option value="green" selected>green</option>`, `name="id" type="text"`, `pattern="[0-9a-fA-F]{8}(-`,
		`name="param.lang" type="text"`, `name="limit" type="number"`, `!id="answer"`, `!id="sql"`, `!id="tests"`)

	_, body = look(t, page.Config{}, v, "/docs/things/all?code=ABC&part=&n=&since=2026-01-02T03:04&param.lang=x&lang=es&limit=7")
	if want := "/v1/things/all?code=ABC&format=json&lang=x&limit=7&since=2026-01-02T03%3A04%3A00Z"; asked != want {
		t.Errorf("asked %s, want %s", asked, want)
	}
	expect(t, "the form as it was sent", body, `value="ABC"`, `type="datetime-local" value="2026-01-02T03:04"`, `name="lang" value="es"`, `<html lang="es">`, "Respuesta")

	// A browser empties an input that can't hold its value.
	_, body = look(t, page.Config{}, v, "/docs/things/all?code=ABC&n=many&day=today&since=2026-01-02T03:04:05.123456Z&late=maybe&color=blue")
	expect(t, "values of another form", body, `name="n" type="text" value="many"`, `name="day" type="text" value="today"`,
		`name="since" type="text" value="2026-01-02T03:04:05.123456Z"`, `<option value="maybe" selected>`, `<option value="blue" selected>`)
}

// What is wrong with a parameter stands beside its field; anything else above the answer.
func TestProblemsAreShownWhereTheyAre(t *testing.T) {
	t.Parallel()
	v := &reader{endpoints: []endpoint.Endpoint{parsed(t, "one", "-- One.\n-- param: n integer required\nSELECT $n AS n")}}
	v.answer = func(target string) (int, string) {
		switch {
		case strings.Contains(target, "other="):
			return 400, `{"type":"/docs/problems/unknown-parameter","title":"Unknown parameter","status":400,"detail":"It has n.","parameter":"other"}`
		case strings.Contains(target, "n=9"):
			return 503, `{"type":"/docs/problems/overloaded","title":"Overloaded","status":503,"detail":"Try again."}`
		default:
			return 400, `{"type":"/docs/problems/invalid-parameter","title":"Invalid parameter","status":400,"detail":"It is <no> number.","parameter":"n"}`
		}
	}
	status, body := look(t, page.Config{}, v, "/docs/things/one?n=x%22%3E%3Cb%3E")
	if status != 400 {
		t.Error(status)
	}
	expect(t, "a field", body, `value="x&#34;&gt;&lt;b&gt;"`, `aria-describedby="param-n-hint param-n-error" aria-invalid="true"`,
		`<p class="error" id="param-n-error">It is &lt;no&gt; number.</p>`, `!role="alert"`, `!id="answer"`)
	status, body = look(t, page.Config{}, v, "/docs/things/one?n=")
	if status != 400 {
		t.Errorf("sent without what is required: %d", status)
	}
	expect(t, "an empty field", body, `id="param-n-error"`)
	_, body = look(t, page.Config{}, v, "/docs/things/one?n=1&other=2")
	expect(t, "an unknown one", body, `role="alert">other: Unknown parameter: It has n.`, `!aria-invalid`)
	status, body = look(t, page.Config{}, v, "/docs/things/one?n=9")
	if status != 503 {
		t.Error(status)
	}
	expect(t, "another problem", body, `role="alert">Overloaded: Try again.`)
}

// An answer's values come out as they went in, and as text.
func TestAnswersAreShownAsTheyAre(t *testing.T) {
	t.Parallel()
	const hostile = `</td><script>alert("x")</script>`
	e := parsed(t, "all", "-- All "+hostile+".\n-- More "+hostile+".\n-- param: p string optional -- "+hostile+"\n-- order: a\n-- chart: bar x=a y=a\nSELECT $p AS a")
	column := endpoint.Column{Description: "Of " + hostile, Unit: "<i>"}
	column.Name = "a<b>"
	v := &reader{endpoints: []endpoint.Endpoint{e}, columns: []endpoint.Column{column}, answer: func(string) (int, string) {
		return 200, `{"data":[{"a<b>":123456789012345678901234567890.10,"n":null,"e":"","h":"` + strings.ReplaceAll(hostile, `"`, `\"`) + `","o":{"k":[1.0,"é"]},"l":"` +
			strings.Repeat("ñ", 301) + `"}],"meta":{"rows":1,"next":"c&1"}}`
	}}
	_, body := look(t, page.Config{}, v, "/docs/things/all?limit=1&cursor=x&p=q")
	expect(t, "the answer", body, "!<script>alert", "!<b>", "!<i>", ">a&lt;b&gt; <small>(&lt;i&gt;)</small>", `<td class="number">123456789012345678901234567890.10</td>`,
		`<td class="short"><span class="null">NULL</span></td><td class="short"></td>`, `&lt;script&gt;alert(&#34;x&#34;)`, `{&#34;k&#34;:[1.0,&#34;é&#34;]}`,
		"<summary>"+strings.Repeat("ñ", 200)+"…</summary>"+strings.Repeat("ñ", 301)+"</details>",
		`href="/docs/things/all?cursor=c%261&amp;limit=1&amp;p=q" rel="next"`, `href="/docs/things/all?limit=1&amp;p=q">First page`,
		`src="/v1/things/all?format=svg&amp;p=q"`, `href="/v1/things/all?cursor=x&amp;format=parquet&amp;limit=1&amp;p=q" download="all.parquet"`, "2026-01-31T12:00:00Z")
	if n := strings.Count(body, "<script"); n != 1 {
		t.Errorf("%d scripts", n)
	}
}

// An inspecting visit sees the SQL, the tests and the use; another one nothing of them.
func TestWhatInspectsSeesMore(t *testing.T) {
	t.Parallel()
	v := &reader{endpoints: []endpoint.Endpoint{parsed(t, "one", "-- One.\n-- param: n integer optional\nSELECT $n AS secret_name")}, visit: visit{inspects: true}}
	v.answer = func(target string) (int, string) {
		if strings.Contains(target, "n=2") {
			return 200, `{"data":[{"n":3}],"meta":{"rows":1,"next":null}}`
		}
		return 200, `{"data":[{"n":1}],"meta":{"rows":1,"next":null}}`
	}
	one := 1
	cfg := page.Config{
		Cases: func(string, *endpoint.Endpoint) ([]endpoint.Case, error) {
			return []endpoint.Case{{Name: "good", Count: &one}, {Name: "<bad>", Params: endpoint.Params{"n": "2"}, First: []byte(`{"n":2}`)}}, nil
		},
		Use: func(name string) page.Use {
			return page.Use{Requests: 1234, Errors: 5, Median: 0.0021, P95: float64(len(name)) / 1000}
		},
		Edited: func() []page.Finding {
			return []page.Finding{{Name: "one.sql:2:3", Found: "<reads> nothing", Fix: "correct it"}}
		},
	}
	_, body := look(t, cfg, v, "/docs/things/one")
	expect(t, "before the tests", body, "secret_name", "<strong>good</strong>", "&lt;bad&gt;", "!passes", `href="/docs/things/one?run-tests=1#tests"`,
		"<dd>1,234</dd>", "<dd>2.1 ms</dd>", "<dd>10.0 ms</dd>", "<strong>one.sql:2:3</strong> &lt;reads&gt; nothing<br>Fix: correct it")
	_, body = look(t, cfg, v, "/docs/things/one?run-tests=1")
	expect(t, "the tests", body, `<span class="well">passes</span> <strong>good</strong>`, `<span class="error">differs</span> <strong>&lt;bad&gt;</strong> <code>n=2</code><pre>first: expected {&#34;n&#34;:2}`,
		"answered {&#34;n&#34;:3}")
	_, body = look(t, cfg, v, "/docs")
	expect(t, "the reference", body, "one.sql:2:3")
	_, body = look(t, cfg, v, "/")
	expect(t, "the overview", body, "one.sql:2:3")
	_, body = look(t, page.Config{Cases: func(string, *endpoint.Endpoint) ([]endpoint.Case, error) { return nil, nil }}, v, "/docs/things/one")
	expect(t, "without tests", body, "It has none. <code>things/endpoints/one.test.json</code>")
	v.inspects = false
	for _, path := range []string{"/", "/docs", "/docs/things/one", "/docs/things/one?run-tests=1"} {
		_, body = look(t, cfg, v, path)
		expect(t, path, body, "!secret_name", "!good", "!1,234", "!one.sql")
	}
}

// The reference has what the visit opens, also of one that only sends.
func TestReference(t *testing.T) {
	t.Parallel()
	k, err := contract.Parse("things", "contract.json", []byte(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","x-estela":{"key":"id"},
		"required":["id"],"properties":{"id":{"type":"string","description":"Its <name>.","examples":["a<b"]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	cfg := page.Config{Contracts: []*contract.Contract{k}}
	v := &reader{posts: true, guarded: true}
	_, body := look(t, cfg, v, "/docs/")
	expect(t, "a visit that sends", body, "Authorization: Bearer estela_…", "-H &#34;Authorization: Bearer $ESTELA_API_KEY&#34;", "/v1/things/events&#39;", "Its &lt;name&gt;.", "a&lt;b",
		"/docs/problems", "/openapi.json", `!id="answers"`, `!id="endpoints"`, "!No endpoint")
	v = &reader{endpoints: []endpoint.Endpoint{parsed(t, "one", "-- One.\n-- param: n integer required\nSELECT $n AS n")}}
	_, body = look(t, cfg, v, "/docs")
	expect(t, "a visit that reads", body, `<a href="/docs/things/one">one</a> One.`, "<code>n</code> (required)", "!Authorization", `!id="events"`, "/openapi.json")
	_, body = look(t, cfg, v, "/docs/problems")
	expect(t, "the problems", body, `href="/docs/problems/not-found"`, "Look elsewhere.")
	if status, body := look(t, cfg, v, "/docs/problems/not-found"); status != 200 || !strings.Contains(body, "Look elsewhere.") {
		t.Errorf("%d %s", status, body)
	}
	for _, path := range []string{"/docs/problems/none", "/docs/things/none", "/docs/things", "/docs/none/one"} {
		if status, _ := look(t, cfg, v, path); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

var preformatted = regexp.MustCompile(`(?s)<summary>([A-Za-z]+)</summary><div class="copyable"><pre[^>]*>(.*?)</pre>`)

// unescape is what a reader copies.
var unescape = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`, "&#39;", "'", "&#43;", "+", "&amp;", "&")

// The examples make this very request, whatever its values are.
func TestExamplesAreTheRequest(t *testing.T) {
	t.Parallel()
	const value = "a'b\"c $HOME `id` $(id) \\ %41+&=#\n\t<é😀>{{.}}${x}\u2028"
	var mu sync.Mutex
	var asked []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Query().Get("p")+"|"+r.URL.Query().Get("n")+"|"+r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, `{"data":[{"n":1}]}`)
	}))
	defer api.Close()
	v := &reader{guarded: true, endpoints: []endpoint.Endpoint{parsed(t, "one", "-- One.\n-- param: p string required\n-- param: n integer optional\nSELECT $p AS p, $n AS n")}}
	v.answer = func(string) (int, string) { return 200, `{"data":[],"meta":{"rows":0,"next":null}}` }
	_, body := look(t, page.Config{}, v, api.URL+"/docs/things/one?"+url.Values{"p": {value}, "n": {"5"}}.Encode())
	programs := preformatted.FindAllStringSubmatch(body, -1)
	var languages []string
	dir := t.TempDir()
	for _, p := range programs {
		language, text := p[1], unescape.Replace(p[2])
		languages = append(languages, language)
		run := map[string][]string{
			"curl": {"example.sh", "sh"}, "Go": {"example.go", "go", "run"}, "Python": {"example.py", "python3"}, "JavaScript": {"example.mjs", "node"},
		}[language]
		file := filepath.Join(dir, run[0])
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), run[1], append(slices.Clone(run[2:]), file)...)
		cmd.Env = append(os.Environ(), "ESTELA_API_KEY=estela_k")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s\n%s", language, err, out, text)
		}
	}
	if strings.Join(languages, " ") != "curl Go Python JavaScript" {
		t.Fatalf("%v in %s", languages, body)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, got := range asked {
		if want := value + "|5|Bearer estela_k"; got != want {
			t.Errorf("request %d: %s, want %s", i, strconv.Quote(got), strconv.Quote(want))
		}
	}
	if len(asked) != 4 {
		t.Errorf("%d requests", len(asked))
	}
}
