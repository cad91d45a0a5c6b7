// Package memory cancels queries when the process is short of memory, before the kernel kills
// it: DuckDB's memory limit does not count what expressions allocate. It imports the
// standard library only.
package memory

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrPressure is returned at the memory limit. The query can be retried.
var ErrPressure = errors.New("the process is at its memory limit")

const (
	// sampleInterval is how often memory is sampled while queries run; a sample takes 2 µs.
	sampleInterval = 20 * time.Millisecond
	// cooldown is how long queries are refused after one was cancelled. Then one at a time is
	// admitted, for memory that an allocator keeps must not shut readers out for good.
	cooldown = time.Second
)

// Watch cancels queries while the process has more resident memory than Limit.
type Watch struct {
	// Limit is in bytes; 0: no limit.
	Limit int64

	mu         sync.Mutex
	running    []*query // the newest last
	sampling   bool
	lastCancel time.Time
}

type query struct{ cancel context.CancelCauseFunc }

// Enter admits a query. Its context is cancelled with the cause ErrPressure when memory is
// short, the newest query first. The caller calls leave afterwards. Above the limit Enter
// returns ErrPressure.
func (w *Watch) Enter(ctx context.Context) (_ context.Context, leave func(), err error) {
	if w == nil || w.Limit <= 0 {
		return ctx, func() {}, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if over := Resident() > w.Limit; over && (len(w.running) > 0 || time.Since(w.lastCancel) < cooldown) {
		return nil, nil, ErrPressure
	}
	q := &query{}
	ctx, q.cancel = context.WithCancelCause(ctx)
	w.running = append(w.running, q)
	if !w.sampling {
		w.sampling = true
		go w.sample()
	}
	return ctx, func() { w.leave(q) }, nil
}

func (w *Watch) leave(q *query) {
	q.cancel(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, other := range w.running {
		if other == q {
			w.running = append(w.running[:i], w.running[i+1:]...)
			return
		}
	}
}

// sample checks memory while queries run.
func (w *Watch) sample() {
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for range tick.C {
		if !w.check() {
			return
		}
	}
}

func (w *Watch) check() (more bool) {
	resident := Resident()
	w.mu.Lock()
	over := resident > w.Limit
	if len(w.running) == 0 {
		w.sampling = false
		w.mu.Unlock()
		return false
	}
	if over {
		last := len(w.running) - 1
		w.running[last].cancel(ErrPressure)
		w.running = w.running[:last]
		w.lastCancel = time.Now()
	}
	w.mu.Unlock()
	if over {
		debug.FreeOSMemory()
	}
	return true
}

// Resident returns the process' resident memory in bytes; without /proc, what Go's runtime
// has mapped.
func Resident() int64 {
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			if pages, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				return pages * int64(os.Getpagesize())
			}
		}
	}
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// Available returns the process' memory limit in bytes: the lower of its cgroup's and the
// machine's; 0 if unknown.
func Available() int64 {
	least := int64(0)
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if n := firstNumber(file, ""); n > 0 {
			least = n
		}
	}
	if total := 1024 * firstNumber("/proc/meminfo", "MemTotal:"); total > 0 && (least == 0 || total < least) {
		least = total
	}
	return least
}

// firstNumber returns the first number in the file after the word, 0 if there is none.
func firstNumber(file, word string) int64 {
	text, err := os.ReadFile(file)
	if err != nil || runtime.GOOS != "linux" {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), word)
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
