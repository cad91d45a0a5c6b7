package page_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/page"
)

const hostile = `'"><script>alert(1)</script>`

// Nothing that comes from elsewhere is more than text, and all of it is there.
func TestOverviewShowsText(t *testing.T) {
	t.Parallel()
	p := pipeline{
		func() page.Sample {
			return page.Sample{
				At: time.Now(), Unready: hostile + "unready",
				Shards:     []page.Shard{{Dataset: hostile + "dataset", Reason: hostile + "reason", Position: hostile + "position", Stored: 1234567}},
				Objectives: []page.Objective{{Title: hostile + "title", Target: 0.99, Good: 98, Total: 100}},
			}
		},
		func() []page.Finding {
			return []page.Finding{{Name: hostile + "name", Found: hostile + "found", Fix: hostile + "fix"}}
		},
	}
	v := visit{true, []endpoint.Dataset{{Name: hostile + "opened", Description: hostile + "description", Endpoints: []endpoint.Endpoint{{Name: hostile + "endpoint", Summary: hostile + "summary"}}}}}
	_, app := serve(t, p, v)
	status, header, body := get(t, app, "/?x="+"%22%3E%3Cscript%3E", "Accept-Language", hostile)
	if status != 200 || strings.Contains(body, "<script>") || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; style-src 'self'") {
		t.Errorf("%d %v\n%s", status, header, body)
	}
	for _, part := range []string{
		"unready", "dataset", "reason", "position", "title", "name", "found", "fix", "opened", "description", "endpoint", "summary",
	} {
		if !strings.Contains(body, "&#39;&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"+part) {
			t.Errorf("%s is not on the page as it is", part)
		}
	}
	for _, text := range []string{"1,234,567", "98 %", "-100 %"} { // twice as many bad ones as may be
		if !strings.Contains(body, text) {
			t.Errorf("no %q", text)
		}
	}
}

// While the stream can't be asked, nothing says that all is well or that the lag is zero, whatever the last check found.
func TestOverviewWithoutStream(t *testing.T) {
	t.Parallel()
	p := pipeline{
		func() page.Sample {
			return page.Sample{At: time.Now(), Unready: "redis is gone", Shards: []page.Shard{{Dataset: "readings", Published: -1}}}
		},
		func() []page.Finding { return nil },
	}
	_, app := serve(t, p, visit{true, nil})
	_, _, body := get(t, app, "/")
	for _, text := range []string{"redis is gone", `data-text="lag.readings">–<`, `data-text="shard.lag.readings.0">–<`} {
		if !strings.Contains(body, text) {
			t.Errorf("no %q in\n%s", text, body)
		}
	}
	if strings.Contains(body, `<p class="well">`) {
		t.Errorf("all is well in\n%s", body)
	}
}

// Whoever may not inspect sees the endpoints, and nothing of the pipeline.
func TestOverviewOfReaders(t *testing.T) {
	t.Parallel()
	p := pipeline{
		func() page.Sample {
			return page.Sample{Unready: "secret", Shards: []page.Shard{{Dataset: "secret"}}}
		}, func() []page.Finding { return []page.Finding{{Name: "secret"}} },
	}
	_, app := serve(t, p, visit{false, []endpoint.Dataset{{Name: "open", Endpoints: []endpoint.Endpoint{{Name: "rows"}}}}})
	status, _, body := get(t, app, "/")
	if status != 200 || strings.Contains(body, "secret") || !strings.Contains(body, `href="/docs/open/rows"`) || strings.Contains(body, "/sql") || !strings.Contains(body, "estela key new NAME --inspect") {
		t.Errorf("%d\n%s", status, body)
	}
	if status, _, _ := get(t, app, "/live"); status != 404 {
		t.Errorf("live: %d", status)
	}
	if status, _, body := get(t, app, "/nothing?lang=es"); status != 404 || !strings.Contains(body, "Aquí no hay nada.") || !strings.Contains(body, `<html lang="es">`) {
		t.Errorf("nothing: %d\n%s", status, body)
	}
}

// A stream ends by itself: whoever lost the right to inspect sees no more than what is left of it.
func TestLiveAsksForTheRightAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p := pipeline{func() page.Sample { return page.Sample{At: time.Now()} }, func() []page.Finding { return nil }}
	s, app := serve(t, p, visit{true, nil})
	s.SetLiveFor(1500 * time.Millisecond)
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	if status, _, body := get(t, app, "/live"); status != 200 || !strings.HasPrefix(body, "id: 1\ndata: {") {
		t.Errorf("%d %q", status, body)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// More tabs than can be are no failure of the server.
func TestLiveIsFull(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, pipeline{func() page.Sample { return page.Sample{} }, nil}, visit{})
	s.FillTabs()
	app := fiber.New(fiber.Config{DisableStartupMessage: true, ErrorHandler: func(_ *fiber.Ctx, err error) error { return err }})
	app.Get("/live", func(c *fiber.Ctx) error { return s.Serve(c, visit{inspects: true}) })
	if status, header, _ := get(t, app, "/live"); status != 503 || header.Get("Retry-After") == "" {
		t.Errorf("%d %v", status, header)
	}
}

// What Redis would say is not known while it does not answer: that is no zero.
func TestFiguresWithoutRedis(t *testing.T) {
	t.Parallel()
	at := time.Now()
	p := pipeline{func() page.Sample {
		return page.Sample{At: at, Unready: "no answer", Shards: []page.Shard{{Dataset: "x", Published: -1, Stored: 7}}}
	}, func() []page.Finding { return nil }}
	_, app := serve(t, p, visit{inspects: true})
	_, _, body := get(t, app, "/")
	for _, text := range []string{`data-text="published.x">–<`, `data-text="lag.x">–<`, `data-text="shard.lag.x.0">–<`, `data-text="stored.x">0<`, `data-text="total.x">7<`} {
		if !strings.Contains(body, text) {
			t.Errorf("no %s\n%s", text, body)
		}
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	_, app := serve(t, nil, visit{true, nil})
	for _, c := range []struct{ path, accept, want, other string }{
		{"/", "", "en", `href="/?lang=es"`},
		{"/", "es-CL,es;q=0.9,en;q=0.8", "es", `href="/?lang=en"`},
		{"/", "de, en;q=0.5", "en", ""},
		{"/", "pt", "en", ""},
		{"/?lang=en", "es", "en", `href="/docs?lang=en"`},
		{"/?lang=es", "en", "es", `href="/docs?lang=es"`},
		{"/?lang=xx", "es", "es", ""},
		{"/?lang=es&q=a%26b", "en", "es", `href="/?lang=en&amp;q=a%26b"`},
	} {
		_, header, body := get(t, app, c.path, "Accept-Language", c.accept)
		if header.Get("Content-Language") != c.want || !strings.Contains(body, c.other) || header.Get("Vary") != "Accept-Language" {
			t.Errorf("%s %s: %s, no %s\n%s", c.path, c.accept, header.Get("Content-Language"), c.other, body)
		}
	}
}

// A course adds up to the growth of the count that it is of, whatever the steps.
func TestRates(t *testing.T) {
	t.Parallel()
	for range 200 {
		start := time.Now()
		var samples []page.Sample
		n := int64(0)
		for i := range 1 + rand.IntN(40) {
			samples = append(samples, page.Sample{At: start.Add(time.Duration(i) * time.Second), Shards: []page.Shard{{Stored: n}}})
			n += rand.Int64N(1000)
		}
		step := 1 + rand.IntN(5)
		all := page.Rates(samples, step, func(s page.Sample) int64 { return s.Shards[0].Stored })
		sum := 0.0
		for _, r := range all {
			sum += r * float64(step)
		}
		last := len(samples) - 1
		if want := float64(samples[last].Shards[0].Stored - samples[last-len(all)*step].Shards[0].Stored); sum < want-0.5 || sum > want+0.5 || len(all) != last/step {
			t.Fatalf("%d samples by %d: %v add up to %v, want %v", len(samples), step, all, sum, want)
		}
	}
	now := time.Now()
	back := []page.Sample{{At: now, Shards: []page.Shard{{Stored: 5}}}, {At: now.Add(time.Second), Shards: []page.Shard{{Stored: 3}}}, {At: now.Add(time.Second), Shards: []page.Shard{{Stored: 9}}}}
	if all := page.Rates(back, 1, func(s page.Sample) int64 { return s.Shards[0].Stored }); all[0] != 0 || all[1] != 0 {
		t.Errorf("a count that went back, and no time between: %v", all)
	}
}

// However many look, one check runs, and nobody but the first waits for one.
func TestOneCheckForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int64
		c := page.NewChecks(func() []page.Finding { ran.Add(1); time.Sleep(time.Minute); return []page.Finding{{Name: "x"}} })
		start := time.Now()
		if _, ok := c.Latest(t.Context()); ok || time.Since(start) > time.Second {
			t.Errorf("first: %v after %s", ok, time.Since(start))
		}
		for range 100 {
			c.Latest(t.Context())
		}
		time.Sleep(2 * time.Minute)
		start = time.Now()
		found, ok := c.Latest(t.Context())
		if !ok || len(found) != 1 || time.Since(start) > 0 || ran.Load() > 2 {
			t.Errorf("%v %v after %s, %d checks", found, ok, time.Since(start), ran.Load())
		}
		c.Wait()
	})
}

// What was stored before the worker of this process has started, or its Redis was there, came at no rate.
func TestRatesAfterStart(t *testing.T) {
	t.Parallel()
	taken := 0
	start := time.Now()
	p := pipeline{func() page.Sample {
		taken++
		s := page.Sample{At: start.Add(time.Duration(taken) * time.Second)}
		if taken > 1 {
			sh := page.Shard{Dataset: "flights", Published: 5_000_000, Stored: 5_000_000, Rejected: 5_000_000}
			if taken == 2 {
				sh.Published = -1
			}
			other := sh
			other.Number, other.Published = 1, 5_000_000
			s.Shards = []page.Shard{sh, other}
		}
		return s
	}, func() []page.Finding { return nil }}
	server, app := serve(t, p, visit{inspects: true})
	for range 3 {
		if err := server.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, _, body := get(t, app, "/")
		for _, name := range []string{"published", "stored", "rejected"} {
			want := "0"
			if name == "published" && taken == 2 {
				want = "–" // unknown
			}
			if taken > 1 && !strings.Contains(body, `data-text="`+name+`.flights">`+want+`</span>/s`) {
				t.Errorf("after %d samples: %s at a rate", taken, name)
			}
		}
	}
	server.End()
}

// How fresh events are is that of the last minute, and an upper bound.
func TestFreshnessOfTheLastMinute(t *testing.T) {
	t.Parallel()
	counts := func(a, b, c, above uint64) page.Sample {
		return page.Sample{Freshness: map[string]page.Freshness{"x": {Bounds: []float64{0.01, 0.5, 60}, Events: []uint64{a, b, c, above}}}}
	}
	for i, c := range []struct {
		first, last page.Sample
		between     int
		want        string
	}{
		{counts(0, 0, 0, 0), counts(99, 1, 0, 0), 1, "≤ 10 ms"},
		{counts(0, 0, 0, 0), counts(98, 2, 0, 0), 1, "≤ 500 ms"},
		{counts(1000, 0, 0, 0), counts(1000, 0, 5, 0), 60, "≤ 1 min 0 s"},
		{counts(1000, 0, 0, 0), counts(1000, 0, 5, 0), 10, "≤ 10 ms"}, // not yet a minute: since the start
		{counts(7, 7, 7, 7), counts(7, 7, 7, 7), 60, "–"},
		{counts(0, 0, 0, 0), counts(9, 0, 0, 9), 60, "–"},
		{page.Sample{}, page.Sample{}, 60, "–"},
		{page.Sample{}, counts(5, 0, 0, 0), 60, "≤ 10 ms"},
	} {
		samples := []page.Sample{c.first}
		for range c.between {
			samples = append(samples, c.last)
		}
		if got := page.Fresh(samples, "x"); got != c.want {
			t.Errorf("%d: %s, want %s", i, got, c.want)
		}
	}
}
