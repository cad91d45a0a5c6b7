// Package browsertest opens pages in a real browser, Debian's chromium, for tests: offline but for this machine, with a
// profile of its own. What a page does wrong fails the test that opened it: errors on the console, violations of its
// Content-Security-Policy, requests to elsewhere, dialogs.
package browsertest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// within bounds what a tab is asked at once, on a busy machine too.
const within = 30 * time.Second

// Browser is a running chromium.
type Browser struct {
	ctx context.Context
	// axe is the source of axe-core.
	axe string
}

// Start runs a browser until the test ends.
func Start(t testing.TB) *Browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not on PATH, and these tests need a real browser: run apt-get install chromium fonts-dejavu-core")
	}
	allocator, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("disable-lcd-text", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.WSURLReadTimeout(within))...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		family := (&Browser{ctx: ctx}).processes()
		cancel()
		stop()
		awaitEnd(t, family)
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return &Browser{ctx: ctx, axe: installAxe(t)}
}

// processes are the browser's. Without /proc none is known.
func (b *Browser) processes() (pids []int) {
	running := chromedp.FromContext(b.ctx).Browser
	if running == nil {
		return nil
	}
	first := running.Process().Pid
	parents := map[int]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		after := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // the state, the parent
		parents[pid], _ = strconv.Atoi(after[1])
	}
	for pid := range parents {
		for at := pid; at != 0; at = parents[at] {
			if at == first {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// awaitEnd waits for processes to end.
func awaitEnd(t testing.TB, pids []int) {
	t.Helper()
	var left []int
	for start := time.Now(); time.Since(start) < within; time.Sleep(20 * time.Millisecond) {
		left = slices.DeleteFunc(slices.Clone(pids), ended)
		if len(left) == 0 {
			return
		}
	}
	t.Errorf("chromium has ended, and left the processes %v", left)
}

// ended reports whether a process is gone, or a zombie that waits for its parent.
func ended(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return errors.Is(err, os.ErrNotExist) || err == nil && strings.Contains(string(text), ") Z ")
}
