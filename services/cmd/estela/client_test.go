package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/dataset"
)

// clientData are the datasets that the clients of these tests ask.
var clientData = []string{filepath.Join("..", "..", "..", "data", "flights"), filepath.Join("testdata", "client", "kinds")}

// Each language's client is checked by its compiler and asks a server for all of the bundled
// flights, and for a value of each type. What it got is compared with a plain download.
func TestClients(t *testing.T) {
	t.Parallel()
	own := sampledCore(t, clientData)
	npm := npmPrograms(t)
	for lang, run := range map[string]func(t *testing.T, dir, npm string, args ...string) []byte{
		"typescript": runTypeScript, "go": runGo, "python": runPython,
	} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			s := serveClients(t, own)
			dir := t.TempDir()
			file := filepath.Join(dir, map[string]string{"typescript": "client.ts", "go": "estela/client.go", "python": "client.py"}[lang])
			writeFile(t, file, "")
			code, _, errs := command(t, "", "client", "--lang", lang, "-o", file, "--data", clientData[0], "--data", clientData[1])
			if code != 0 {
				t.Fatalf("estela client: exit %d: %s", code, errs)
			}
			s.compare(t, lang, run(t, dir, npm, s.url, s.key, s.slowKey, s.silent))
		})
	}
}

// sampledCore opens a warehouse with the samples of the datasets.
func sampledCore(t *testing.T, data []string) *core {
	t.Helper()
	all, err := dataset.Load(data, false)
	if err != nil {
		t.Fatal(err)
	}
	g := &Globals{Data: data, Memory: "1GB", Spill: "4GB", LogLevel: "error", LogFormat: "text"}
	own, end, err := g.sampled(t.Context(), &streams{out: io.Discard, err: io.Discard}, all)
	t.Cleanup(end)
	if err != nil {
		t.Fatal(err)
	}
	return own
}

// clientServer is an API with keys, and a server that never answers, except below /proxy as a proxy does
// that has lost its server.
type clientServer struct {
	url, key, slowKey, silent string
	events                    atomic.Int64 // requests to flights/events
}

func serveClients(t *testing.T, own *core) *clientServer {
	t.Helper()
	s := &clientServer{}
	var keys [2]access.Key
	s.key, keys[0] = access.NewKey("quick", []string{"*"})
	s.slowKey, keys[1] = access.NewKey("slow", []string{"*"})
	keys[1].Rate = 1
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := access.LoadKeys(writeFile(t, filepath.Join(t.TempDir(), "keys.json"), string(text)))
	if err != nil {
		t.Fatal(err)
	}
	app, err := own.newAPI(t.Context(), func(cfg *api.Config) {
		cfg.Access = &access.Authenticator{Keys: loaded}
		cfg.Observe = func(endpoint string, _ int, _ float64) {
			if endpoint == "flights/events" {
				s.events.Add(1)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	s.url = serveOn(t, func(ctx context.Context, l net.Listener) error { return serveAPI(ctx, app, l) })
	s.silent = serveOn(t, func(ctx context.Context, l net.Listener) error {
		server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/proxy/") {
				<-r.Context().Done()
				return
			}
			w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "<html>")
		})}
		context.AfterFunc(ctx, func() { _ = server.Close() })
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return s
}

// serveOn serves a port of its own until the test ends.
func serveOn(t *testing.T, serve func(context.Context, net.Listener) error) (url string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = l.Close()
	})
	return "http://" + l.Addr().String()
}

// npmPrograms installs the pinned packages and returns the directory of their programs.
func npmPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json"} {
		copyFile(t, filepath.Join("testdata", "client", name), filepath.Join(dir, name))
	}
	tool(t, dir, "npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund")
	return filepath.Join(dir, "node_modules", ".bin")
}

// runTypeScript compiles with the strictest options and runs with node.
func runTypeScript(t *testing.T, dir, npm string, args ...string) []byte {
	t.Helper()
	copyFile(t, filepath.Join("testdata", "client", "use.ts"), filepath.Join(dir, "use.ts"))
	writeFile(t, filepath.Join(dir, "package.json"), `{"type": "module"}`)
	tool(t, dir, filepath.Join(npm, "tsc"), "--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes",
		"--noUnusedLocals", "--noImplicitOverride", "--noImplicitReturns", "--erasableSyntaxOnly", "--verbatimModuleSyntax",
		"--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", "--types", "", "client.ts", "use.ts")
	return tool(t, dir, "node", append([]string{"use.js"}, args...)...)
}

// runGo vets and runs.
func runGo(t *testing.T, dir, _ string, args ...string) []byte {
	t.Helper()
	writeFile(t, filepath.Join(dir, "go.mod"), "module example.org/use\n\ngo 1.23\n")
	copyFile(t, filepath.Join("testdata", "client", "use.go.txt"), filepath.Join(dir, "use.go"))
	tool(t, dir, "go", "vet", "./...")
	return tool(t, dir, "go", append([]string{"run", "."}, args...)...)
}

// runPython checks the types as Python 3.9 has them, and runs with every warning an error.
func runPython(t *testing.T, dir, npm string, args ...string) []byte {
	t.Helper()
	copyFile(t, filepath.Join("testdata", "client", "use.py"), filepath.Join(dir, "use.py"))
	writeFile(t, filepath.Join(dir, "pyrightconfig.json"), `{"typeCheckingMode": "strict", "pythonVersion": "3.9", "include": ["*.py"]}`)
	tool(t, dir, filepath.Join(npm, "pyright"), "--warnings")
	return tool(t, dir, "python3", append([]string{"-W", "error", "use.py"}, args...)...)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, to, string(text))
}

// tool runs a program in a directory and returns what it prints. A machine without it fails.
func tool(t *testing.T, dir, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "PYTHONDONTWRITEBYTECODE=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &errs)
	}
	return out
}

// The command writes where it is told to, and to nobody else's file.
func TestClientCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "client.ts")
	generate := func(want int, says string, args ...string) string {
		t.Helper()
		code, out, errs := command(t, "", append([]string{"client", "--data", clientData[1]}, args...)...)
		if code != want || !strings.Contains(out+errs, says) {
			t.Errorf("estela client %s: exit %d, want %d and %q\n%s%s", strings.Join(args, " "), code, want, says, out, errs)
		}
		return out
	}
	text := generate(0, "kindsByDay2(", "--lang", "typescript")
	generate(0, "wrote "+file, "kinds", "--lang", "typescript", "-o", file)
	generate(0, "wrote "+file, "--lang", "typescript", "--output", file) // replaces its own
	if written, err := os.ReadFile(file); err != nil || string(written) != text {
		t.Errorf("the file has something else than standard output: %v", err)
	}
	own := writeFile(t, filepath.Join(dir, "own.ts"), "export {};\n")
	generate(2, own+" is there already and is no client", "--lang", "typescript", "-o", own)
	generate(1, "no such file or directory", "--lang", "go", "-o", filepath.Join(dir, "none", "client.go"))
	generate(2, `no dataset "kind"`, "kind", "--lang", "go")
	generate(2, "missing flags: --lang", "kinds")
	generate(2, "typescript", "--lang", "cobol")
	writeFile(t, filepath.Join(dir, "empty", "contract.json"), thing)
	if code, _, errs := command(t, "", "client", "--lang", "go", "--data", filepath.Join(dir, "empty")); code != 2 || !strings.Contains(errs, "no endpoint") {
		t.Errorf("a dataset without endpoints: exit %d: %s", code, errs)
	}
	if text, err := os.ReadFile(own); err != nil || string(text) != "export {};\n" {
		t.Errorf("the file of another was touched: %q %v", text, err)
	}
}
