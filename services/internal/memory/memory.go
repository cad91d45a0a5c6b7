// Package memory watches the process' own memory while queries of readers run, and
// ends them before the machine ends the process: DuckDB's memory limit does not count
// what expressions allocate. It imports the standard library only.
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

// ErrPressure says that the process has as much memory as it may. It can be tried
// again.
var ErrPressure = errors.New("the process is at its memory limit")

const (
	// every is how often memory is read while queries run: 2 µs each time.
	every = 20 * time.Millisecond
	// pause is how long none is admitted after one was ended. Then one at a time is, for
	// memory that an allocator keeps must not shut readers out for good.
	pause = time.Second
)

// Watch ends queries when the process has more resident memory than Limit.
type Watch struct {
	// Limit is in bytes; 0: no limit.
	Limit int64

	mu      sync.Mutex
	running []*query // the youngest last
	looking bool
	ended   time.Time // when the last was
}

type query struct{ end context.CancelCauseFunc }

// Enter admits a query: its context ends with the cause ErrPressure when memory is
// short, the youngest query first. The caller calls leave afterwards. Above the limit
// it refuses with ErrPressure.
func (w *Watch) Enter(ctx context.Context) (_ context.Context, leave func(), err error) {
	if w == nil || w.Limit <= 0 {
		return ctx, func() {}, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if over := Resident() > w.Limit; over && (len(w.running) > 0 || time.Since(w.ended) < pause) {
		return nil, nil, ErrPressure
	}
	q := &query{}
	ctx, q.end = context.WithCancelCause(ctx)
	w.running = append(w.running, q)
	if !w.looking {
		w.looking = true
		go w.run()
	}
	return ctx, func() { w.leave(q) }, nil
}

func (w *Watch) leave(q *query) {
	q.end(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, other := range w.running {
		if other == q {
			w.running = append(w.running[:i], w.running[i+1:]...)
			return
		}
	}
}

// run samples while queries run.
func (w *Watch) run() {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for range tick.C {
		if !w.once() {
			return
		}
	}
}

func (w *Watch) once() (more bool) {
	resident := Resident()
	w.mu.Lock()
	over := resident > w.Limit
	if len(w.running) == 0 {
		w.looking = false
		w.mu.Unlock()
		return false
	}
	if over {
		last := len(w.running) - 1
		w.running[last].end(ErrPressure)
		w.running = w.running[:last]
		w.ended = time.Now()
	}
	w.mu.Unlock()
	if over {
		debug.FreeOSMemory()
	}
	return true
}

// Resident is the process' resident memory in bytes; where the system does not say,
// what Go's runtime has of it.
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

// Available is the memory in bytes that the process can have: that of its cgroup, else
// the machine's; 0 if the system does not say.
func Available() int64 {
	least := int64(0)
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if n := number(file, ""); n > 0 {
			least = n
		}
	}
	if total := 1024 * number("/proc/meminfo", "MemTotal:"); total > 0 && (least == 0 || total < least) {
		least = total
	}
	return least
}

// number is the first number of a file after a word.
func number(file, word string) int64 {
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
