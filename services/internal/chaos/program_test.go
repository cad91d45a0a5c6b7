package chaos_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/chaos"
)

// build makes the program that is shipped: what it shows of a fault, and how long its
// leases last, are its own.
func build(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "estela")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, "../../cmd/estela").CombinedOutput()
	if err != nil {
		t.Fatalf("build estela: %v\n%s", err, out)
	}
	return file
}

// program is a worker in a process of its own, which can be started again.
type program struct {
	t    *testing.T
	file string
	args []string
	ops  string
	said said
	cmd  *exec.Cmd
}

// said collects what processes write, one after the other.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

// newProgram starts a worker of the pipeline's server whose files are in dir.
func (p *pipeline) newProgram(file, redis, dir string) *program {
	p.t.Helper()
	datasets := p.t.TempDir()
	must(p.t, os.Mkdir(filepath.Join(datasets, "chaos"), 0o700))
	must(p.t, os.WriteFile(filepath.Join(datasets, "chaos", "contract.json"), chaos.Contract(p.shards, p.dedupe), 0o600))
	w := &program{t: p.t, file: file, ops: freeAddr(p.t)}
	w.args = []string{
		"worker", "--log-level", "warn", "--data", datasets, "--data-dir", dir, "--redis", redis, "--ops-listen", w.ops,
	}
	w.start()
	p.t.Cleanup(func() {
		w.end(syscall.SIGKILL)
		if p.t.Failed() {
			p.t.Logf("the worker said:\n%s", &w.said.buf)
		}
	})
	return w
}

func (w *program) url() string { return "http://" + w.ops }

func (w *program) start() {
	w.t.Helper()
	w.cmd = exec.Command(w.file, w.args...)
	w.cmd.Stdout, w.cmd.Stderr = &w.said, &w.said
	must(w.t, w.cmd.Start())
}

func (w *program) signal(s os.Signal) {
	w.t.Helper()
	must(w.t, w.cmd.Process.Signal(s))
}

// end ends the process, if it runs, and waits for that.
func (w *program) end(s os.Signal) {
	w.t.Helper()
	if w.cmd == nil {
		return
	}
	_ = w.cmd.Process.Signal(s)
	late := time.AfterFunc(patience, func() { _ = w.cmd.Process.Kill() })
	_ = w.cmd.Wait() // one that was killed always ends with an error
	if !late.Stop() {
		w.t.Errorf("the worker does not stop within %s", patience)
	}
	w.cmd = nil
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}
