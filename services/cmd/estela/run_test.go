package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// command runs one command line in this process.
func command(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

const thing = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "x-estela": {"key": "id", "time": "at"},
  "required": ["id", "at"],
  "properties": {
    "id": {"type": "string", "minLength": 1},
    "at": {"type": "string", "format": "date-time"},
    "n": {"type": "integer"}
  }
}`

func writeFile(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Dir(writeFile(t, filepath.Join(dir, "bad", "contract.json"), strings.Replace(thing, `"minLength"`, `"minimumLength"`, 1)))
	other := writeFile(t, filepath.Join(dir, "other", "usage", "contract.json"), thing)
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"help", []string{"--help"}, 0, ""},
		{"help as a command", []string{"help", "publish"}, 0, ""},
		{"version as a flag", []string{"--version"}, 0, ""},
		{"the old name of locate", []string{"trace", "--help"}, 0, ""},
		{"no command", nil, 2, "estela: expected one of"},
		{"unknown flag", []string{"up", "--nope"}, 2, "unknown flag --nope"},
		{"misspelt command", []string{"pubish"}, 2, `unexpected argument pubish, did you mean "publish"?`},
		{"misspelt subcommand after help", []string{"help", "endpoint", "chek"}, 2, `did you mean "check"?`},
		{"misspelt flag", []string{"up", "--wach"}, 2, `did you mean "--watch"?`},
		{"misspelt value", []string{"up", "--log-level", "wran"}, 2, `but got "wran" (did you mean "warn"?) (see`},
		{"misspelt dataset", []string{"publish", "flihgts", "--data-dir", dir}, 2, `no dataset "flihgts" (did you mean "flights"?): there is canary, flights;`},
		{"unknown dataset", []string{"publish", "nope", "--data-dir", dir}, 2, `no dataset "nope": there is canary, flights`},
		{"no Redis", []string{"publish", "flights", "--data-dir", dir}, 2, "start 'estela up' there, or give --redis"},
		{"no such folder", []string{"contract", "check", "--data", filepath.Join(dir, "none")}, 2, "none"},
		{"no dataset in the folder", []string{"contract", "check", "--data", empty}, 2, "no dataset in"},
		{"agents without an API", []string{"mcp", "--data-dir", dir}, 2, "nothing runs on " + dir + ": start 'estela up' there, or give --api URL"},
		{"agents and no URL", []string{"mcp", "--api", "localhost:8080"}, 2, "want http or https and a host"},
		{"agents and an API that is down", []string{"mcp", "--api", "http://127.0.0.1:1"}, 1, "ask the API at http://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"bad contract", []string{"contract", "check", "--data", bad}, 3, "/properties/id/minimumLength"},
		{"usage without a Redis", []string{"api", "--usage", "--data-dir", dir}, 2, "--usage publishes to the Redis that the worker reads"},
		{"usage by another name", []string{"endpoint", "list", "--usage", "--data", filepath.Dir(filepath.Dir(other))}, 2, "--usage has a dataset of this name"},
		{"purge unasked", []string{"rejects", "purge", "flights", "--data-dir", dir}, 2, "--yes"},
		{"open to anyone, unsaid", []string{"up", "--listen", "0.0.0.0:0", "--ops-listen", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "open")}, 2, "--anonymous"},
		{"memory that is no size", []string{"up", "--memory", "lots", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "memory")}, 2, "512MB"},
		{"Redis without a scheme", []string{"publish", "flights", "--redis", "localhost:6379"}, 1, "the Redis URL localhost:6379 is not understood: write redis://localhost:6379/0, with USER:PASSWORD@ before the host for"},
		{"Redis with a password that is not encoded", []string{"publish", "flights", "--redis", "redis://me:hunter2/x@host:1"}, 1, "the Redis URL redis://… is not understood: write redis://localhost:6379/0, with USER:PASSWORD@ before the host for a login; rediss:// in its place for TLS, unix:///PATH.sock for a socket; percent-encode any of :/?#@% in"},
		{"Redis that does not answer", []string{"publish", "flights", "--redis", "redis://:hunter2@127.0.0.1:1"}, 1, "connect to Redis"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, out, errs := command(t, "", c.args...)
			if code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("exit %d, want %d\n%s%s", code, c.code, out, errs)
			}
			if strings.Contains(out+errs, "hunter2") {
				t.Error("the password is shown")
			}
		})
	}
}

func TestContractCheckOfBuiltInDatasets(t *testing.T) {
	t.Parallel()
	code, out, errs := command(t, "", "contract", "check")
	if code != 0 || !strings.Contains(out, "flights: ok") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

func TestContractCheckAgainst(t *testing.T) {
	t.Parallel()
	repo := t.TempDir()
	file := filepath.Join(repo, "data", "things", "contract.json")
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", repo, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	check := func(rev string) (int, string) {
		t.Helper()
		code, out, errs := command(t, "", "contract", "check", "--data", filepath.Join(repo, "data"), "--against", rev)
		return code, out + errs
	}
	git("init", "-q")
	git("commit", "-q", "--allow-empty", "-m", "empty")
	writeFile(t, file, thing)
	if code, out := check("HEAD"); code != 0 {
		t.Errorf("a new dataset breaks nothing: exit %d\n%s", code, out)
	}
	git("add", ".")
	git("commit", "-q", "-m", "things")
	writeFile(t, file, strings.Replace(thing, `"n": {"type": "integer"}`, `"n": {"type": "integer"}, "m": {"type": "string"}`, 1))
	if code, out := check("HEAD"); code != 0 {
		t.Errorf("a new optional property breaks nothing: exit %d\n%s", code, out)
	}
	writeFile(t, file, strings.Replace(thing, `"n": {"type": "integer"}`, `"n": {"type": "string"}`, 1))
	if code, out := check("HEAD"); code != 3 || !strings.Contains(out, "/properties/n") {
		t.Errorf("a changed type: exit %d\n%s", code, out)
	}
	if code, out := check("nope"); code != 2 || !strings.Contains(out, "no such revision") {
		t.Errorf("an unknown revision: exit %d\n%s", code, out)
	}
}

func TestContractValidate(t *testing.T) {
	t.Parallel()
	file := writeFile(t, filepath.Join(t.TempDir(), "contract.json"), thing)
	code, out, errs := command(t, `{"id":"a","at":"2026-01-01T00:00:00Z"}

{"id":"","n":1.5}
[]
`, "contract", "validate", file)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 1 || len(lines) != 3 || lines[0] != `{"line":1,"valid":true}` {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	for _, want := range []string{`"line":3`, `"pointer":"/id"`, `"keyword":"minLength"`, `"keyword":"required"`, `"pointer":"/n"`} {
		if !strings.Contains(lines[1], want) {
			t.Errorf("no %s in %s", want, lines[1])
		}
	}
	if code, out, _ := command(t, `{"id":"a","at":"2026-01-01T00:00:00Z"}`, "contract", "validate", file); code != 0 {
		t.Errorf("a valid document: exit %d\n%s", code, out)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	code, out, _ := command(t, "", "version")
	if code != 0 || !strings.Contains(out, "DuckDB 1.5.6") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestNoPasswordIsLeftInAFile(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"redis://127.0.0.1:6379":          "redis://127.0.0.1:6379",
		"unix:///tmp/redis.sock":          "unix:///tmp/redis.sock",
		"redis://:hunter2@127.0.0.1:6379": "",
		"unix:///tmp/redis.sock?db=2":     "",
	} {
		if got := withoutPassword(url); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

// TestHelp: a command's help has its own flags first, and of those of every command only the names.
func TestHelp(t *testing.T) {
	t.Parallel()
	_, own, _ := command(t, "", "publish", "--help")
	if strings.Contains(own, "--spill=") || !strings.Contains(own, "--data-dir --redis") || !strings.Contains(own, "--wait-stored  ") {
		t.Error(own)
	}
	if _, all, _ := command(t, "", "help"); !strings.Contains(all, "--spill=") {
		t.Error(all)
	}
}
