package main_test

import (
	"fmt"
	"go/format"
	"html"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hostile is a contract whose texts are markup and whose names are words of SQL and of the pages' own parameters.
const hostile = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
  "description": "<script>alert('description')</script>",
  "x-estela": {"key": ["select", "at"], "time": "at", "shards": 3, "partition": "select"},
  "required": ["select", "at"],
  "properties": {
    "select": {"type": "string", "title": "<script>alert('title')</script>", "description": "</td>{{.T}}$1 \"quoted\" 'too'", "examples": ["it's <script>alert('example')</script> $HOME \\ {{x}} ` + "`" + `\u00e9"]},
    "at": {"type": "string", "format": "date-time"},
    "order": {"type": ["integer", "null"], "x-estela": {"unit": "<b>", "aliases": ["a'b\"<c>"]}},
    "column": {"type": "string", "enum": ["<i>", "'", "\"", "$p0"]},
    "value": {"type": "integer"}, "count": {"type": "number"}, "p0": {"type": "boolean"}, "limit": {"type": "string", "format": "date"},
    "group": {"type": "string", "format": "uuid"}, "from": {"type": "object", "properties": {"<script>": {"type": "string"}}}, "cursor": {"type": "array", "items": {"type": "string"}}
  }
}`

// keyless is a contract of events without a key and a time.
const keyless = `{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
  "properties": {"n": {"type": "integer"}, "data": {"type": "object"}}}`

// visit returns status and body of a page.
func (s *system) visit(path string) (status int, body string) {
	s.t.Helper()
	res, err := http.Get("http://" + s.api + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// page returns the body of a page that there is, in which no markup is anybody else's.
func (s *system) page(path string) string {
	s.t.Helper()
	status, body := s.visit(path)
	if status != http.StatusOK {
		_, main, _ := strings.Cut(body, "<main")
		s.t.Fatalf("%s: %d %s", path, status, main)
	}
	for _, not := range []string{"<script>", "<i>", "<b>", "<c>"} {
		if strings.Contains(body, not) {
			s.t.Errorf("%s: %s is markup", path, not)
		}
	}
	return body
}

var (
	nextPage  = regexp.MustCompile(`href="([^"]*)" rel="next"`)
	eventLink = regexp.MustCompile(`href="(/datasets/[a-z]+/event\?key=[^"]*)"`)
	example   = regexp.MustCompile(`(?s)<h3>([^<]*)</h3>\s*<div class="copyable"><pre[^>]*>(.*?)</pre>`)
)

// walk follows the pages from the path and returns the links of their rows.
func (s *system) walk(path string) (links []string) {
	s.t.Helper()
	for range 50 {
		body := s.page(path)
		for _, match := range eventLink.FindAllStringSubmatch(body, -1) {
			links = append(links, html.UnescapeString(match[1]))
		}
		next := nextPage.FindStringSubmatch(body)
		if next == nil {
			return links
		}
		path = html.UnescapeString(next[1])
	}
	s.t.Fatal("there is no last page")
	return nil
}

// filtered is a query of filters: column, operator, value, and so on.
func filtered(sort string, triples ...string) string {
	query := url.Values{}
	for i := 0; i+2 < len(triples); i += 3 {
		query.Add("column", triples[i])
		query.Add("op", triples[i+1])
		query.Add("value", triples[i+2])
	}
	if name, dir, ok := strings.Cut(sort, " "); ok {
		query.Set("sort", name)
		query.Set("dir", dir)
	}
	return query.Encode()
}

// TestE2EDatasetPages looks at datasets whose names, texts and values are hostile, or that have as little as there can be.
func TestE2EDatasetPages(t *testing.T) { //nolint:tparallel // one after the other: the last one adds events
	t.Parallel()
	data := things(t, "hostile", hostile)
	writeFile(t, filepath.Join(data, "plain", "contract.json"), keyless)
	s := up(t, filepath.Join(t.TempDir(), "run"), "--data", data, "--no-sample")

	var events strings.Builder
	for i := range 240 {
		group := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		fmt.Fprintf(&events, `{"select":"it's %d </td><script>alert(1)</script>","at":"2026-01-0%dT00:00:00.%06dZ","column":"$p0","order":%s,"value":9007199254740993,"count":%d.5,"p0":%v,"limit":"2026-01-01","group":%q,"from":{"a": "<i>"},"cursor":["%s"]}`+"\n",
			i, 1+i%3, i%2, []string{"null", "1", "2"}[i%3], i%5, i%2 == 0, group, strings.Repeat("x", i))
	}
	for name, body := range map[string]string{"hostile": events.String(), "plain": `{"n":1,"data":{"b": null}}` + "\n" + `{"n":1}` + "\n" + `{}` + "\n"} {
		eventually(t, "events of "+name, func() error { // Redis may not be there yet
			res, err := http.Post("http://"+s.api+"/v1/"+name+"/events?durability=stored", "application/x-ndjson", strings.NewReader(body))
			if err != nil {
				return err
			}
			defer res.Body.Close()
			answer, err := io.ReadAll(res.Body)
			if err == nil && res.StatusCode != http.StatusOK {
				err = fmt.Errorf("%d %s", res.StatusCode, answer)
			}
			return err
		})
	}

	t.Run("rows", func(t *testing.T) {
		s := &system{process: &process{t: t}, api: s.api}
		for query, want := range map[string]int{
			"":                           240,
			filtered("order desc"):       240,
			filtered("order asc"):        240,
			filtered("cursor asc"):       240,
			filtered("from desc"):        240,
			filtered("_ingested_at asc"): 240,
			filtered("count desc", "order", "ne", "1", "p0", "eq", "true"):                                 40,
			filtered("limit asc", "limit", "eq", "2026-01-01", "order", "null", ""):                        80,
			filtered("", "value", "eq", "9007199254740993", "column", "eq", "$p0", "order", "ge", "1"):     160,
			filtered("", "value", "eq", "9007199254740992"):                                                0,
			filtered("", "at", "ge", "2026-01-02", "at", "lt", "2026-01-03"):                               80,
			filtered("", "select", "contains", "it's 12", "cursor", "notnull", ""):                         11,
			filtered("", "select", "eq", "' OR 1=1 --"):                                                    0,
			filtered("", "select", "contains", "'; DROP TABLE hostile; --"):                                0,
			filtered("", "from", "contains", `"a"`, "group", "le", "00000000-0000-4000-8000-000000000009"): 10,
			filtered("", "count", "gt", "3.4"):                                                             96,
		} {
			links := s.walk("/datasets/hostile/rows?" + query)
			slices.Sort(links)
			if once := slices.Compact(slices.Clone(links)); len(links) != want || len(once) != want {
				t.Errorf("%s: %d rows, %d different ones, want %d", query, len(links), len(once), want)
			}
		}
		for query, says := range map[string]string{
			filtered("", "value", "eq", "far<i>"):             "must be an integer, found &#34;far",
			filtered("", "at", "gt", "yesterday"):             "date-time",
			filtered("", "p0", "eq", ""):                      "The value",
			filtered("", `a" OR 1=1 --`, "eq", "1"):           "There is no such column.",
			filtered("", "value", "= 1 OR 1", "1"):            "There is no such condition.",
			filtered("", "", "eq", "1"):                       "Choose the column",
			filtered("nope asc"):                              "be sorted by that",
			filtered("value desc,x"):                          "be sorted by that",
			"cursor=nope":                                     "cursor",
			"format=exe":                                      "There is no such format.",
			strings.Repeat("column=value&op=eq&value=1&", 21): "There can be 20 filters.",
		} {
			status, body := s.visit("/datasets/hostile/rows?" + query)
			if status != http.StatusBadRequest || !strings.Contains(body, says) || strings.Contains(body, "<i>") {
				t.Errorf("%s: %d, not %q\n%s", query, status, says, body)
			}
		}
		if _, body := s.visit("/datasets/hostile/rows?" + filtered("", "value", "gt", "far")); !strings.Contains(body, `value="far" aria-invalid="true" aria-describedby="fault0"`) ||
			!strings.Contains(body, "<option selected>value</option>") || !strings.Contains(body, `<option value="gt" selected>`) {
			t.Errorf("the form is not as it was sent:\n%s", body)
		}
		for format, begins := range map[string]string{"csv": "select,at,", "ndjson": `{"select":`, "json": `{"data":[`, "parquet": "PAR1", "arrow": ""} {
			status, body := s.visit("/datasets/hostile/rows?format=" + format + "&" + filtered("count desc", "order", "eq", "1"))
			if status != http.StatusOK || !strings.HasPrefix(body, begins) || format == "ndjson" && strings.Count(body, "\n") != 80 {
				t.Errorf("%s: %d %.200s", format, status, body)
			}
		}
	})
	t.Run("event", func(t *testing.T) {
		s := &system{process: &process{t: t}, api: s.api}
		links := s.walk("/datasets/hostile/rows?" + filtered("", "select", "contains", "it's 12", "count", "lt", "1"))
		if len(links) != 2 { // 120, 125
			t.Fatal(links)
		}
		body := s.page(links[0])
		for _, want := range []string{"Stored", "Published", "Committed", "9007199254740993", `{&#34;a&#34;: &#34;&lt;i&gt;&#34;}`, strings.Repeat("x", 120)} {
			if !strings.Contains(body, want) {
				t.Errorf("no %s in\n%s", want, body)
			}
		}
		for _, link := range s.walk("/datasets/plain/rows") {
			if body := s.page(link); strings.Count(body, "It is a row of the table.") != 3 { // one entry has all three
				t.Error(link, body)
			}
		}
		for _, nobody := range []string{"nobody", `["x"]`, `["<script>","2026-01-01T00:00:00Z"]`, "1-1", "18446744073709551615-1"} {
			if status, body := s.visit("/datasets/hostile/event?key=" + url.QueryEscape(nobody)); status != http.StatusNotFound || !strings.Contains(body, "It was not found.") {
				t.Errorf("%s: %d %s", nobody, status, body)
			}
		}
		if status, _ := s.visit("/datasets/nope/event"); status != http.StatusNotFound {
			t.Error(status)
		}
	})
	t.Run("profile", func(t *testing.T) {
		s := &system{process: &process{t: t}, api: s.api}
		body := s.page("/datasets/hostile/profile")
		for _, want := range []string{"80 (33.33 %)", "≈ 2<", "$p0", "9007199254740993", "Most of its values are different ones."} {
			if !strings.Contains(body, want) {
				t.Errorf("no %s in\n%s", want, body)
			}
		}
		if strings.Contains(body, `class="wrong"`) || strings.Contains(body, "ran out") {
			t.Error(body)
		}
		s.page("/datasets/plain/profile")
		for _, path := range []string{"/datasets/hostile/counts", "/datasets/hostile/counts?of=stored&by=minute", "/datasets/plain/counts?by=x"} {
			if body := s.page(path); !strings.HasPrefix(body, "<svg") {
				t.Errorf("%s: %.300s", path, body)
			}
		}
		if body := s.page("/datasets/hostile/counts?by=day&format=csv"); body != "day,events\r\n2026-01-01T00:00:00Z,80\r\n2026-01-02T00:00:00Z,80\r\n2026-01-03T00:00:00Z,80\r\n" {
			t.Errorf("%q", body)
		}
	})
	s.sendExamples(t)
}

// sendExamples does what the pages say of how to send an event.
func (s *system) sendExamples(t *testing.T) {
	t.Helper()
	for _, name := range []string{"hostile", "plain"} {
		codes := map[string]string{}
		for _, match := range example.FindAllStringSubmatch(s.page("/datasets/"+name), -1) {
			codes[match[1]] = html.UnescapeString(match[2])
		}
		if len(codes) != 4 {
			t.Fatalf("%s: %q", name, codes)
		}
		before := s.rowCount(name)
		// The shell has the last word on its quotes; whether there is a curl doesn't matter.
		lines := shellWords(t, strings.Replace(codes["curl"], "curl ", "", 1))
		res, err := http.Post(lines[0], "application/json", strings.NewReader(lines[len(lines)-1]))
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != http.StatusAccepted {
			t.Errorf("%s: %d for %q", name, res.StatusCode, lines)
		}
		s.awaitCount(name, before+1)
		words := shellWords(t, strings.Replace(codes["redis-cli"], "redis-cli ", "", 1))
		s.redis(words[2:]...)
		if name == "plain" { // else it has the same key
			s.awaitCount(name, before+2)
		}
		if !strings.Contains(codes["Python (redis-py)"], "r.xadd("+`"`+words[3]+`"`) {
			t.Error(codes["Python (redis-py)"], words)
		}
		formatted, err := format.Source([]byte(codes["Go"]))
		if err != nil || strings.TrimSpace(string(formatted)) != codes["Go"] {
			t.Errorf("%v\n%s", err, codes["Go"])
		}
		if name == "plain" { // the other one has the harder texts, and one build is enough
			continue
		}
		file := filepath.Join(t.TempDir(), "main.go")
		writeFile(t, file, codes["Go"])
		if out, err := exec.CommandContext(t.Context(), "go", "run", file).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// shellWords are the words of a shell's command.
func shellWords(t *testing.T, command string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `printf '%s\0' `+command).Output()
	if err != nil {
		t.Fatal(err, command)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

var matching = regexp.MustCompile(`Rows that match: <strong>([0-9,]+)<`)

// rowCount is how many rows the page of rows says there are.
func (s *system) rowCount(dataset string) int {
	s.t.Helper()
	match := matching.FindStringSubmatch(s.page("/datasets/" + dataset + "/rows"))
	if match == nil {
		s.t.Fatal("rows are not counted")
	}
	n, err := strconv.Atoi(strings.ReplaceAll(match[1], ",", ""))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *system) awaitCount(dataset string, want int) {
	s.t.Helper()
	eventually(s.t, dataset, func() error {
		if n := s.rowCount(dataset); n != want {
			return fmt.Errorf("%d rows, want %d", n, want)
		}
		return nil
	})
}
