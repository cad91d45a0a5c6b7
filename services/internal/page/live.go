package page

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
)

// maxTabs is the number of pages that are live at once; more are told to try again.
const maxTabs = 512

// liveFor is how long a stream lasts. A browser asks for the next one, with a credential that may have expired or
// been revoked.
const liveFor = time.Minute

// frame is the state of a page's live parts. Only texts and points: a script can't be in it.
type frame struct {
	// Text is the text of elements, Line the points of lines and Width the width of bars in percent, by their names.
	Text  map[string]string `json:"text"`
	Line  map[string]string `json:"line"`
	Width map[string]string `json:"width"`
	// Findings replace the list of what is wrong.
	Findings []Finding `json:"findings"`
}

// live hands the newest frame to whoever waits for it.
type live struct {
	mu      sync.Mutex
	id      uint64
	frames  map[locale][]byte // as events
	changed chan struct{}     // closed by the next frame
	closed  bool
	tabs    int
	lasts   time.Duration // of a stream
}

func newLive() *live {
	return &live{frames: map[locale][]byte{}, changed: make(chan struct{}), lasts: liveFor}
}

// publish replaces the frames.
func (l *live) publish(frames map[locale]frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id++
	for language, f := range frames {
		body, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("write live frame: %w", err)
		}
		l.frames[language] = fmt.Appendf(nil, "id: %d\ndata: %s\n\n", l.id, body)
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return nil
}

// close ends every stream.
func (l *live) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.changed)
	}
}

// newest returns the newest frame and its ID, and what is closed by the next one; ok is false at the end.
func (l *live) newest(in locale) (event []byte, id uint64, changed <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.frames[in], l.id, l.changed, !l.closed
}

// enter counts a tab; false if there are too many.
func (l *live) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tabs == maxTabs || l.closed {
		return false
	}
	l.tabs++
	return true
}

func (l *live) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tabs--
}

// watched reports whether a tab is open.
func (l *live) watched() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tabs > 0
}

// serveLive answers with the frames from now on, without the one that the client has.
func (s *Server) serveLive(r *request) error {
	if !r.Inspects() || s.cfg.Pipeline == nil {
		return fiber.NewError(http.StatusNotFound)
	}
	if !s.live.enter() {
		r.c.Set(fiber.HeaderRetryAfter, "10")
		return r.c.SendStatus(http.StatusServiceUnavailable) // no error: the API would take it for one of its own
	}
	last, _ := strconv.ParseUint(r.c.Get("Last-Event-ID"), 10, 64)
	language := r.view.Language
	r.c.Set(fiber.HeaderContentType, "text/event-stream")
	r.c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer s.live.leave()
		end := time.NewTimer(s.live.lasts)
		defer end.Stop()
		for {
			event, id, changed, ok := s.live.newest(language)
			if !ok {
				return
			}
			if id != last && len(event) > 0 {
				_, _ = w.Write(event)
				if w.Flush() != nil {
					return // the tab is gone
				}
				last = id
			}
			select {
			case <-changed:
			case <-end.C:
				return
			}
		}
	})
	return nil
}

// Run samples the pipeline and renders what is live, until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	defer s.checks.tasks.Wait()
	defer s.live.close()
	if s.cfg.Pipeline == nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		if err := s.tick(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// tick takes a sample, and renders it if somebody looks.
func (s *Server) tick(ctx context.Context) error {
	s.history.add(s.cfg.Pipeline.Sample(ctx))
	if !s.live.watched() {
		return nil
	}
	frames := map[locale]frame{}
	for _, in := range []locale{english, spanish} {
		frames[in] = s.frame(ctx, in)
	}
	return s.live.publish(frames)
}
