package browsertest_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/browsertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Each thing that a page may do wrong is a problem or a barrier.
func TestProblems(t *testing.T) {
	t.Parallel()
	pages := map[string]struct{ body, problem string }{
		"/error":     {`<script src="/throw.js"></script>`, "thrown on purpose"},
		"/console":   {`<script src="/console.js"></script>`, "console.error"},
		"/inline":    {`<script>document.title = "ran"</script>`, "Content Security Policy"},
		"/style":     {`<p style="color: red">x</p>`, "Content Security Policy"},
		"/elsewhere": {`<img src="http://example.org/a.png" alt="">`, "http://example.org/a.png"},
		"/missing":   {`<script src="/no.js"></script>`, "404"},
		"/dialog":    {`<script src="/alert.js"></script>`, "a dialog: hello"},
	}
	scripts := map[string]string{"/throw.js": "throw new Error('thrown on purpose')", "/console.js": "console.error('x')", "/alert.js": "alert('hello')"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if script, ok := scripts[r.URL.Path]; ok {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write([]byte(script))
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; img-src * data:")
		p, ok := pages[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			p.body = `<h1>Nothing</h1><input>`
		}
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>t</title><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><main>` + p.body + r.Header.Get("Accept-Language")))
	}))
	t.Cleanup(server.Close)
	browser := browsertest.Start(t)
	for path, p := range pages {
		tab := browser.Open(t)
		if status := tab.Go(server.URL + path); status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
		var found string
		for start := time.Now(); time.Since(start) < 10*time.Second && !strings.Contains(found, p.problem); time.Sleep(10 * time.Millisecond) {
			found += strings.Join(tab.Problems(), "\n")
		}
		if !strings.Contains(found, p.problem) {
			t.Errorf("%s: want %s: %q", path, p.problem, found)
		}
	}
	tab := browser.Open(t, browsertest.Dark, browsertest.Phone, browsertest.Language("es"))
	if status := tab.Go(server.URL + "/"); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
	if found := strings.Join(tab.Barriers(), "\n"); !strings.Contains(found, "critical: Form elements must have labels (label)") {
		t.Errorf("a field without a label: %q", found)
	}
	if got := tab.Text(`[document.querySelector("main").textContent, matchMedia("(prefers-color-scheme: dark)").matches, innerWidth]`); got != "Nothinges,true,390" {
		t.Errorf("language, colours and width: %s", got)
	}
	tab.Hide(true)
	tab.Await("hidden", "document.hidden")
	tab.Hide(false)
	tab.Await("shown", "!document.hidden")
}

// Nothing is left of a browser.
func TestEnd(t *testing.T) { //nolint:tparallel // the browser ends with the inner test
	t.Parallel()
	var pids []int
	t.Run("run", func(t *testing.T) {
		browser := browsertest.Start(t)
		pids = browser.Processes()
		browser.Open(t)
	})
	if len(pids) < 2 {
		t.Fatalf("chromium is the processes %v", pids)
	}
	for _, pid := range pids {
		if text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && !strings.Contains(string(text), ") Z ") {
			t.Errorf("process %d is left: %s", pid, text)
		}
	}
}
