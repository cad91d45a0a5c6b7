package main_test

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// call is a documented request, and the table that is shown as its answer, if one is.
var call = regexp.MustCompile("curl -s '(http://127\\.0\\.0\\.1:8080)([^']*)'\n(?:```\n\n```csv\n((?s:.*?))```)?")

// posted is a documented POST of an event: path, type and body.
var posted = regexp.MustCompile(`(?m)^curl -i http://127\.0\.0\.1:8080(\S+) -H 'Content-Type: ([^']+)' -d '(.*)'$`)

// checkDocumentedCalls sends the documents' requests to the running pipeline.
func (s *system) checkDocumentedCalls() {
	s.t.Helper()
	for _, file := range []string{
		"README.md", "README.es.md", ".github/CHALLENGE.md", ".github/CHALLENGE.es.md", ".github/CONTRIBUTING.md",
		"ci/README.md", "ci/README.es.md", "data/README.md", "data/README.es.md", "infra/README.md", "services/README.md",
	} {
		text, err := os.ReadFile(filepath.Join("../../..", file))
		if err != nil {
			s.t.Fatal(err)
		}
		text = console.ReplaceAll(text, nil)                                                                                                                          // TestE2EDemo runs it
		if all, known := regexp.MustCompile(`(?m)^\s*curl `).FindAll(text, -1), append(call.FindAll(text, -1), posted.FindAll(text, -1)...); len(all) != len(known) { // TestE2EDocumentedDataset posts
			s.t.Errorf("%s: %d calls of curl, %d of them of a form that is tried", file, len(all), len(known))
		}
		for _, found := range call.FindAllStringSubmatch(string(text), -1) {
			body, err := get("http://" + s.api + found[2])
			if err != nil {
				s.t.Errorf("%s: %v", file, err)
			}
			// CSV ends its lines as RFC 4180 has it; a document doesn't.
			if found[3] != "" && strings.ReplaceAll(body, "\r\n", "\n") != found[3] {
				s.t.Errorf("%s shows for %s\n%s\nthe answer is\n%s", file, found[2], found[3], body)
			}
		}
	}
}

// TestDocumentedCallsAreFound keeps the expression from matching nothing.
func TestDocumentedCallsAreFound(t *testing.T) {
	t.Parallel()
	found := call.FindAllStringSubmatch("```sh\ncurl -s 'http://127.0.0.1:8080/v1/a'\n```\n\n```csv\nx\n1\n```\n", -1)
	if len(found) != 1 || found[0][2] != "/v1/a" || found[0][3] != "x\n1\n" {
		t.Errorf("%q", found)
	}
}

// postDocumented posts the event that services/README.md does.
func (s *system) postDocumented() {
	s.t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		s.t.Fatal(err)
	}
	found := posted.FindAllStringSubmatch(string(text), -1)
	if len(found) != 1 {
		s.t.Fatalf("services/README.md posts %q", found)
	}
	res, err := http.Post("http://"+s.api+found[0][1], found[0][2], strings.NewReader(found[0][3]))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		s.t.Errorf("%s: %s", found[0][0], res.Status)
	}
}

// TestE2EDocumentedDataset makes the dataset that data/README.md shows, word for word.
func TestE2EDocumentedDataset(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"data/README.md", "data/README.es.md"} {
		text, err := os.ReadFile(filepath.Join("../../..", file))
		if err != nil {
			t.Fatal(err)
		}
		contract := regexp.MustCompile("(?s)```json\n(\\{\n  \"\\$schema\".*?)```").FindSubmatch(text)
		endpoint := regexp.MustCompile("(?s)```sql\n(-- The warmest.*?)```").FindSubmatch(text)
		if contract == nil || endpoint == nil {
			t.Fatalf("%s shows no dataset", file)
		}
		dir := filepath.Join(t.TempDir(), "mine")
		if err := os.MkdirAll(filepath.Join(dir, "readings", "endpoints"), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "readings", "contract.json"), string(contract[1]))
		writeFile(t, filepath.Join(dir, "readings", "endpoints", "warmest.sql"), string(endpoint[1]))
		s := up(t, t.TempDir(), "--data", dir)
		s.redis("XADD", "estela:{readings:0}", "*", "event", `{"id":"a","measured_at":"2026-01-01T00:00:00Z","celsius":21.5}`)
		s.awaitEvents("readings", "stored", 1)
		s.postDocumented()
		s.awaitEvents("readings", "duplicate", 1)
		if rows := s.read("/v1/readings/warmest"); len(rows) != 1 || rows[0]["celsius"] != 21.5 {
			t.Errorf("%s: the dataset answers %v", file, rows)
		}
	}
}

// console is the README's demo: commands, each with what it prints.
var console = regexp.MustCompile("(?s)```console\n(.*?)```")

// TestE2EDemo runs the READMEs' demo and compares what it prints; -update writes it.
func TestE2EDemo(t *testing.T) { //nolint:paralleltest // it changes the working directory
	update := flag.Lookup("update").Value.String() == "true"
	repository, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	var printed string
	for _, name := range []string{"README.md", "README.es.md"} {
		file := filepath.Join(repository, name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block := console.FindSubmatchIndex(text)
		if block == nil {
			t.Fatalf("%s has no demo", name)
		}
		shown := string(text[block[2]:block[3]])
		if printed == "" {
			printed = demo(t, repository, regexp.MustCompile(`(?m)^\$ (.*)$`).FindAllStringSubmatch(shown, -1))
		}
		if shown != printed && update {
			writeFile(t, file, string(text[:block[2]])+printed+string(text[block[3]:]))
		} else if shown != printed {
			t.Errorf("%s shows\n%s\nand the commands print\n%s", name, shown, printed)
		}
	}
}

// demo runs the commands in a directory that has what they read.
func demo(t *testing.T, repository string, commands [][]string) string {
	t.Helper()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.Symlink(filepath.Join(repository, "data"), "data"); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var s *system
	for _, c := range commands {
		b.WriteString("$ " + c[1] + "\n")
		switch words := strings.Fields(strings.TrimSuffix(c[1], " &")); {
		case words[0] == "curl":
			body, err := get(strings.Replace(strings.Trim(words[2], "'"), "127.0.0.1:8080", s.api, 1))
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(strings.TrimRight(strings.ReplaceAll(body, "\r\n", "\n"), "\n") + "\n")
		case words[1] == "up":
			s = up(t, ".estela")
		default:
			b.WriteString(must(t, "", words[1:]...))
		}
	}
	return b.String()
}
