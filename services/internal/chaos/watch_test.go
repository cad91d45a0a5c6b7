package chaos_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/chaos"
)

const (
	// lookEvery is how often an ops listener is asked, lookFor how long it may take to
	// answer.
	lookEvery = 50 * time.Millisecond
	lookFor   = time.Second
)

// watch looks at ops listeners from outside, as whoever operates a worker does, and
// from begin on notes when each sign of a fault first showed.
type watch struct {
	http http.Client
	urls []string
	stop context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex
	first map[string]time.Time
	start map[string]float64 // counters by listener, as they were at first
}

func newWatch(urls ...string) *watch {
	return &watch{
		urls: urls, first: map[string]time.Time{}, start: map[string]float64{},
		// A connection a look: one that is kept would tie the watch to a process that is gone.
		http: http.Client{Timeout: lookFor, Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

func (w *watch) begin(t *testing.T) {
	t.Helper()
	var ctx context.Context
	ctx, w.stop = context.WithCancel(t.Context())
	for _, url := range w.urls {
		for _, look := range []func(context.Context, string) []string{w.ready, w.metrics} {
			w.done.Go(func() { w.keep(ctx, url, look) })
		}
	}
	t.Cleanup(w.end)
}

func (w *watch) end() {
	w.stop()
	w.done.Wait()
}

func (w *watch) keep(ctx context.Context, url string, look func(context.Context, string) []string) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		signs, now := look(ctx, url), time.Now()
		if ctx.Err() != nil {
			return
		}
		w.mu.Lock()
		for _, sign := range signs {
			if _, known := w.first[sign]; !known {
				w.first[sign] = now
			}
		}
		w.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// since are the signs that showed after the fault, not those that were there before.
func (w *watch) since(fault time.Time) []chaos.Sign {
	w.mu.Lock()
	defer w.mu.Unlock()
	signs := []chaos.Sign{}
	for name, at := range w.first {
		if at.After(fault) {
			signs = append(signs, chaos.Sign{Name: name, After: chaos.SecondsOf(at.Sub(fault))})
		}
	}
	slices.SortFunc(signs, func(a, b chaos.Sign) int {
		return cmp.Or(cmp.Compare(a.After, b.After), strings.Compare(a.Name, b.Name))
	})
	return signs
}

// ready are the signs of /readyz.
func (w *watch) ready(ctx context.Context, url string) []string {
	status, _, err := w.get(ctx, url+"/readyz")
	switch {
	case err != nil:
		return []string{"`/readyz` silent"}
	case status != http.StatusOK:
		return []string{fmt.Sprintf("`/readyz` %d", status)}
	}
	return nil
}

// metrics are the signs of /metrics.
func (w *watch) metrics(ctx context.Context, url string) (signs []string) {
	_, values, err := w.get(ctx, url+"/metrics")
	if err != nil {
		return []string{"`/metrics` silent"}
	}
	sign := func(shown bool, name string) {
		if shown {
			signs = append(signs, "`"+name+"`")
		}
	}
	up, asked := values["estela_redis_up"]
	sign(asked && up == 0, "estela_redis_up")
	sign(values["estela_shard_owned"] == 0, "estela_shard_owned")
	sign(values["estela_oldest_uncommitted_seconds"] > 1, "estela_oldest_uncommitted_seconds")
	sign(values["estela_redis_memory_max_bytes"] > 0 &&
		values["estela_redis_memory_bytes"] > 0.8*values["estela_redis_memory_max_bytes"], "estela_redis_memory_bytes")
	sign(w.grown(url, "estela_commit_retries_total", values), "estela_commit_retries_total")
	sign(w.grown(url, rejectedSeries, values), "estela_events_total")
	return signs
}

const rejectedSeries = `estela_events_total{dataset="chaos",outcome="rejected"}`

// grown says whether a counter is beyond where the watch first saw it.
func (w *watch) grown(url, series string, values map[string]float64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was, known := w.start[url+series]
	if !known {
		w.start[url+series] = values[series]
		return false
	}
	return values[series] > was
}

// well reports whether a worker owns the shard and has no lag.
func (w *watch) well(ctx context.Context) bool {
	return slices.ContainsFunc(w.urls, func(url string) bool {
		if len(w.ready(ctx, url)) > 0 {
			return false
		}
		_, values, err := w.get(ctx, url+"/metrics")
		return err == nil && values["estela_shard_owned"] == 1 && values["estela_oldest_uncommitted_seconds"] < 1
	})
}

// get reads what a listener says: metrics by their series, those with a dataset alone
// by their name too. There is one shard.
func (w *watch) get(ctx context.Context, url string) (status int, values map[string]float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	values = map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		series, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			name, _, _ := strings.Cut(series, "{")
			values[series], values[name] = v, v
		}
	}
	return resp.StatusCode, values, lines.Err()
}
