package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is a pseudoterminal and what was written to it.
type screen struct {
	tty *os.File

	mu   sync.Mutex
	text bytes.Buffer
}

// newScreen opens a pseudoterminal of 80 columns, which its reader empties until the test ends.
func newScreen(t *testing.T) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	s := &screen{}
	if err == nil {
		s.tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		part := make([]byte, 4096)
		for {
			n, err := master.Read(part)
			s.mu.Lock()
			s.text.Write(part[:n])
			s.mu.Unlock()
			if err != nil { // EIO once the other side is closed
				return
			}
		}
	})
	t.Cleanup(func() {
		_ = s.tty.Close()
		reading.Wait()
		_ = master.Close()
	})
	return s
}

// String returns what was written until now.
func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the screen has the text.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	for start := time.Now(); !strings.Contains(s.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("no %q within a minute:\n%q", text, s)
		}
	}
}

func TestColors(t *testing.T) {
	for name, c := range map[string]struct {
		noColor, term string
		colored       bool
	}{
		"a terminal":         {"", "xterm", true},
		"NO_COLOR":           {"1", "xterm", false},
		"a terminal without": {"", "dumb", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NO_COLOR", c.noColor)
			t.Setenv("TERM", c.term)
			at := newScreen(t)
			if code := run(t.Context(), []string{"pubish"}, strings.NewReader(""), at.tty, at.tty); code != exitUsage {
				t.Errorf("exit %d", code)
			}
			at.await(t, "(see estela --help)")
			if text := at.String(); strings.HasPrefix(text, "\x1b[31mestela:\x1b[0m unexpected") != c.colored || strings.Contains(text, "\x1b") != c.colored {
				t.Errorf("%q", text)
			}
		})
	}
}

// TestNoColorInAPipe: the program's standard error of a pipe has no control sequence.
func TestNoColorInAPipe(t *testing.T) {
	t.Parallel()
	if _, _, errs := command(t, "", "pubish"); strings.Contains(errs, "\x1b") {
		t.Errorf("%q", errs)
	}
}
