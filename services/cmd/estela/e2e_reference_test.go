package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestE2EReference: the pages show an endpoint with its answer and its tests; an edit that is broken shows its error on
// them until it is right, and the last valid one keeps serving.
func TestE2EReference(t *testing.T) {
	t.Parallel()
	data := ownDataset(t)
	folder := filepath.Join(data, "readings", "endpoints")
	writeFile(t, filepath.Join(folder, "answer.sql"), "-- The answer.\n-- param: n integer default=42 minimum=0\n-- column: answer unit=kelvin -- What was asked for.\n-- chart: bar x=answer y=answer\nSELECT $n AS answer\n")
	writeFile(t, filepath.Join(folder, "answer.test.json"), `[{"name": "default", "first": {"answer": 42}}, {"name": "another", "params": {"n": 7}, "first": {"answer": 8}}]`)
	s := up(t, t.TempDir(), "--data", data, "--watch")
	eventually(t, "the page's address is printed", func() error {
		if want := "page       http://" + s.api + "/"; !strings.Contains(s.out.String(), want) {
			return fmt.Errorf("no %q in %s", want, &s.out)
		}
		return nil
	})
	has := func(path string, status int, parts ...string) error {
		got, body := keyedGet(t, s.api, path, "")
		if got != status {
			return fmt.Errorf("%s: %d %s", path, got, body)
		}
		for _, p := range parts {
			if text, absent := strings.CutPrefix(p, "!"); strings.Contains(body, text) == absent {
				return fmt.Errorf("%s: %s in %s", path, p, body)
			}
		}
		return nil
	}
	const page = "/docs/readings/answer"
	if err := errors.Join(
		has("/docs", 200, `href="`+page+`"`, "/v1/readings/events", "!warmest.sql:"),
		has(page, 200, `<td class="number">42</td>`, `(kelvin)`, "What was asked for.", `src="/v1/readings/answer?format=svg"`, "SELECT $n AS answer", "!passes"),
		has(page+"?n=18446744073709551615", 400, `id="param-n-error"`, `value="18446744073709551615"`),
		has(page+"?n=9223372036854775807", 200, `<td class="number">9223372036854775807</td>`),
		has(page+"?run-tests=1", 200, `passes</span> <strong>default`, `differs</span> <strong>another`, `answered {&#34;answer&#34;:7}`),
		has(page, 200, `<dt>Requests</dt><dd>`, "!<dt>Requests</dt><dd>0<", "!<dd>–</dd>"),
		has("/docs/problems", 200, "/docs/problems/invalid-events"),
		has("/docs/problems/invalid-parameter", 200, "Invalid parameter", "/docs/problems/invalid-parameter"),
		has("/v1/readings/answer?format=svg", 200, "<svg"),
	); err != nil {
		t.Error(err)
	}
	await := func(what string, parts ...string) {
		t.Helper()
		eventually(t, what, func() error {
			return errors.Join(has("/docs", 200, parts...), has("/", 200, parts...), has(page, 200, parts...), has("/docs/readings/warmest", 200, parts...))
		})
	}
	broken := filepath.Join(folder, "warmest.sql")
	right, err := os.ReadFile(broken)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, broken, "-- The answer.\nSELECT 43 AS answer FROM nowhere\n")
	await("the error of a broken edit", "readings/endpoints/warmest.sql:2:26</strong> reads nowhere, which is no table", "<br>Fix: ")
	if err := has("/v1/readings/warmest", 200); err != nil {
		t.Error(err)
	}
	writeFile(t, broken, string(right))
	await("no error once it is right", "!warmest.sql:2")
}

// TestE2EPagesAreForTheirVisitors: nobody sees a page without a credential; a token sees its endpoints without what it
// pins; a key without the right to inspect sees neither SQL nor state, rows or rejects.
func TestE2EPagesAreForTheirVisitors(t *testing.T) {
	t.Parallel()
	data, dir := ownDataset(t), t.TempDir()
	folder := filepath.Join(data, "readings", "endpoints")
	writeFile(t, filepath.Join(folder, "mine.sql"), "-- Mine.\n-- param: sensor string required example=theirs enum=mine,theirs\n-- param: warm boolean\n-- column: id -- Whose.\nSELECT $sensor AS id, $warm AS warm, 'hidden_literal' AS text\n")
	keys, signing, set := filepath.Join(dir, "keys.json"), filepath.Join(dir, "signing.json"), filepath.Join(dir, "set.json")
	newKey := func(args ...string) string {
		return strings.TrimSpace(must(t, "", append([]string{"key", "new"}, append(args, "--data", data, "--append", "--keys", keys)...)...))
	}
	plain, inspecting := newKey("plain"), newKey("inspecting", "--inspect")
	must(t, "", "token", "key", "new", "--signing-key", signing, "--token-keys", set)
	token := strings.TrimSpace(must(t, "", "token", "new", "--subject", "customer", "--endpoint", "readings/mine", "--pin", "sensor=mine", "--signing-key", signing, "--data", data))
	s := up(t, filepath.Join(dir, "run"), "--data", data, "--keys", keys, "--token-keys", set, "--no-sample")

	pages := []string{"/", "/docs", "/docs/readings/mine", "/docs/readings/warmest", "/docs/problems", "/sql", "/datasets/readings", "/datasets/readings/rejects", "/live"}
	for _, path := range pages {
		res, err := http.Get("http://" + s.api + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s without a key: %d %v", path, res.StatusCode, res.Header)
		}
	}
	const refused = 0 // 403, or 404 where nothing is, or may be, to such a visitor
	for _, c := range []struct {
		who, key, path string
		status         int
		parts          []string
	}{
		{"token", token, "/", 200, []string{"mine", "!warmest", "!sensor", "!Shards"}},
		{"token", token, "/docs", 200, []string{"/docs/readings/mine", "<code>warm</code>", "!warmest", "!sensor", "!/v1/readings/events"}},
		{"token", token, "/docs/readings/mine?warm=true", 200, []string{`<td class="short">mine</td>`, `name="warm"`, "!sensor", "!theirs", "!SELECT"}},
		{"token", token, "/docs/readings/mine?sensor=theirs", 400, []string{"Unknown parameter", `!id="answer"`, "!SELECT", "!mine</td>"}},
		{"token", token, "/docs/readings/mine?run-tests=1", 200, []string{"!SELECT", "!Tests"}},
		{"token", token, "/docs/readings/warmest", 404, []string{"!celsius", "!SELECT"}},
		{"token", token, "/sql", refused, []string{"!celsius", "!SELECT"}},
		{"token", token, "/datasets/readings", refused, []string{"!celsius", "!SELECT"}},
		{"token", token, "/datasets/readings/rejects", refused, []string{"!celsius", "!SELECT"}},
		{"token", token, "/live", refused, []string{"!celsius", "!SELECT"}},
		{"key", plain, "/", 200, []string{"warmest", "!Shards", "!Objectives"}},
		{"key", plain, "/docs/readings/mine?sensor=theirs", 200, []string{`<td class="short">theirs</td>`, `name="sensor"`, "!SELECT", "!Tests", "!Median"}},
		{"key", plain, "/docs/readings/warmest", 200, []string{"celsius", "!SELECT"}},
		{"key", plain, "/sql", refused, []string{"!celsius", "!SELECT"}},
		{"key", plain, "/datasets/readings", refused, []string{"!celsius", "!SELECT"}},
		{"key", plain, "/datasets/readings/rejects", refused, []string{"!celsius", "!SELECT"}},
		{"key", plain, "/live", refused, []string{"!celsius", "!SELECT"}},
		{"inspecting key", inspecting, "/", 200, []string{"Shards", "warmest"}},
		{"inspecting key", inspecting, "/docs/readings/mine?sensor=theirs", 200, []string{"SELECT", "hidden_literal", "Median"}},
	} {
		status, body := keyedGet(t, s.api, c.path, c.key)
		if status != c.status && (c.status != refused || status != http.StatusForbidden && status != http.StatusNotFound) {
			t.Errorf("%s of a %s: %d %s", c.path, c.who, status, body)
		}
		for _, p := range c.parts {
			if text, absent := strings.CutPrefix(p, "!"); strings.Contains(body, text) == absent {
				t.Errorf("%s of a %s: %s in %s", c.path, c.who, p, body)
			}
		}
	}
}
