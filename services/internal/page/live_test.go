package page_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tab is a connection to /live.
type tab struct {
	conn   net.Conn
	frames chan string
}

// openTab opens one. Nothing reads what it is sent before read is called.
func (s *serving) openTab(tb testing.TB) *tab {
	tb.Helper()
	conn, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", s.addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "GET /live HTTP/1.1\r\nHost: %s\r\n\r\n", s.addr); err != nil {
		tb.Fatal(err)
	}
	return &tab{conn, make(chan string, 1)}
}

// read passes the IDs of the frames on, until the test ends.
func (t *tab) read(tb testing.TB) *tab {
	tb.Helper()
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewReaderSize(t.conn, 1<<16); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			if id, ok := strings.CutPrefix(line, "id: "); ok {
				select {
				case t.frames <- strings.TrimSpace(id):
				case <-done:
					return
				}
			}
		}
	}()
	tb.Cleanup(func() {
		close(done)
		_ = t.conn.Close()
		<-ended
	})
	return t
}

// frame returns the ID of the next frame.
func (t *tab) frame(tb testing.TB) string {
	tb.Helper()
	select {
	case id := <-t.frames:
		return id
	case <-time.After(20 * time.Second):
		tb.Fatal("a tab gets no frame")
		return ""
	}
}

// awaitTabs waits until so many are open.
func (s *serving) awaitTabs(tb testing.TB, n int) {
	tb.Helper()
	for start := time.Now(); s.Tabs() != n; time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			tb.Fatalf("%d tabs, want %d", s.Tabs(), n)
		}
	}
}

// A tab that doesn't read holds no other, and the server keeps no frame for it: when it reads, it misses most, and gets
// the newest.
func TestSlowTab(t *testing.T) { //nolint:paralleltest // it measures memory
	s := listen(t, &flowing{datasets: 12})
	s.tick(t, 301) // as many samples as are kept
	slow := s.openTab(t)
	quick := s.openTab(t).read(t)
	s.awaitTabs(t, 2)
	next := func(times int) (id string) {
		for range times {
			s.tick(t, 1)
			id = quick.frame(t)
		}
		return id
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	next(20)
	before := heap()
	last := next(100) // of some 10 KB each, more than a socket holds
	if after := heap(); after > before+4<<20 {
		t.Errorf("the heap grew from %d to %d KiB", before>>10, after>>10)
	}
	slow.read(t)
	got := 1
	for slow.frame(t) != last {
		got++
	}
	if got > 80 {
		t.Errorf("the slow tab got %d frames", got)
	}
	t.Logf("the slow tab got %d of 120 frames", got)
}

// A tab that comes back gets the newest frame once, and none that it has.
func TestResume(t *testing.T) {
	t.Parallel()
	s := listen(t, &flowing{datasets: 1})
	first := s.openTab(t).read(t)
	s.awaitTabs(t, 1)
	s.tick(t, 1)
	if id := first.frame(t); id != "1" {
		t.Errorf("frame %s", id)
	}
	second := s.openTab(t).read(t)
	if id := second.frame(t); id != "1" {
		t.Errorf("the newest frame is %s", id)
	}
	s.tick(t, 1)
	if a, b := first.frame(t), second.frame(t); a != "2" || b != "2" {
		t.Errorf("frames %s and %s", a, b)
	}
}

// Whoever comes when the server ends is told to come again.
func TestLiveEnds(t *testing.T) {
	t.Parallel()
	server, app := serve(t, &flowing{datasets: 1}, visit{inspects: true})
	server.End()
	if status, header, _ := get(t, app, "/live"); status != http.StatusServiceUnavailable || header.Get("Retry-After") != "10" {
		t.Errorf("%d %v", status, header)
	}
}

// firstPaint is the most that a first look at the overview transfers. Nothing is compressed: it is not worth it.
const firstPaint = 100_000

// TestFirstPaint adds up the page and all that it loads.
func TestFirstPaint(t *testing.T) {
	t.Parallel()
	server, app := serve(t, &flowing{datasets: 3}, visit{inspects: true})
	for range 301 {
		if err := server.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, header, body := get(t, app, "/")
	sum, seen := len(body), map[string]bool{}
	for _, found := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(body, -1) {
		if path := found[1]; !seen[path] {
			seen[path] = true
			status, _, asset := get(t, app, path)
			if status != http.StatusOK {
				t.Errorf("%s: %d", path, status)
			}
			sum += len(asset)
		}
	}
	t.Logf("the page: %d bytes, with all that it loads: %d", len(body), sum)
	if len(seen) != 3 || sum > firstPaint {
		t.Errorf("%d bytes of the page and %v, at most %d", sum, seen, firstPaint)
	}
	if header.Get("Set-Cookie") != "" || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("headers %v", header)
	}
}

// BenchmarkLive measures what a second of a hundred open tabs costs: the sample, the frames in two languages, and
// that each tab gets its own; of few and of hundreds of streams. Both ends of the connections are paid for.
func BenchmarkLive(b *testing.B) {
	const tabs = 100
	for _, datasets := range []int{3, 50} {
		b.Run(fmt.Sprintf("streams=%d", 4*datasets), func(b *testing.B) {
			s := listen(b, &flowing{datasets: datasets})
			s.tick(b, 301)
			var open []*tab
			for range tabs {
				open = append(open, s.openTab(b).read(b))
			}
			s.awaitTabs(b, tabs)
			begun := cpu(b)
			for b.Loop() {
				s.tick(b, 1)
				for _, t := range open {
					t.frame(b)
				}
			}
			// A frame is sent each second, so 10 ms of it are a percent of a core.
			b.ReportMetric((cpu(b)-begun).Seconds()/float64(b.N)*100, "%core")
		})
	}
}

// cpu is the time that this process has computed.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
