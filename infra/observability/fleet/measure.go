package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/estela-dev/estela/infra/observability"
	"github.com/estela-dev/estela/infra/observability/exposition"
	"github.com/estela-dev/estela/infra/observability/growth"
	"github.com/estela-dev/estela/infra/observability/prometheus"
)

// Fleet is what is measured: so many systems, for so long.
type Fleet struct {
	Systems int
	Span    time.Duration
	// Root is the module's folder.
	//
	// Default: the working directory.
	Root string
}

const (
	// slice is how much is written at once, before the rules are evaluated over it: less than the hour in which
	// Prometheus takes samples that are older than others.
	slice = 30 * time.Minute
	// quick is how often rules are evaluated while that is measured, in place of once a minute: it costs as much each time.
	quick = 2 * time.Second
	// tabs are how many queries a browser asks at once.
	tabs = 6
	// rounds are how often each query is asked one by one, and evaluations how often rules are watched. The quickest counts:
	// whatever else runs on the machine only adds to it.
	rounds, evaluations = 5, 7
	// settle is how long a process is left alone before its memory is read.
	settle = 5 * time.Second
)

// fleet is one that lives in a Prometheus.
type fleet struct {
	file    observability.File
	rules   string
	systems []*system
	server  *prometheus.Server
	from    time.Time
	// until is how far its metrics are written.
	until time.Time
}

// Measure has a Prometheus in dir collect what a fleet exposes, and measures it.
func Measure(ctx context.Context, dir string, f Fleet) (p growth.Point, err error) {
	l, err := newFleet(f)
	if err != nil {
		return p, err
	}
	if l.server, err = prometheus.Start(ctx, dir); err != nil {
		return p, err
	}
	defer func() { l.server.Stop() }()
	if err := l.advance(ctx, time.Now()); err != nil {
		return p, err
	}
	// A new process has nothing in memory of how quickly that was written.
	l.server.Stop()
	again, err := prometheus.Start(ctx, dir)
	if err != nil {
		return p, err
	}
	l.server = again
	// What came meanwhile is recorded too: rules that find nothing newer than five minutes would be quick.
	if err := l.advance(ctx, time.Now()); err != nil {
		return p, err
	}
	p = growth.Point{Systems: f.Systems, Days: f.Span.Hours() / 24, Exposed: f.Systems * len(l.systems[0].exposed)}
	for _, step := range []func(context.Context, *growth.Point) error{l.evaluate, l.idle, l.open, l.budgets, l.weigh} {
		if err := step(ctx, &p); err != nil {
			return p, err
		}
	}
	return p, nil
}

func newFleet(f Fleet) (*fleet, error) {
	file, err := observability.Load()
	if err != nil {
		return nil, err
	}
	rules, err := os.ReadFile(filepath.Join(f.Root, "observability/generated/rules.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read rules (run this in infra/): %w", err)
	}
	text, err := os.ReadFile(filepath.Join(f.Root, exposition.Path))
	if err != nil {
		return nil, fmt.Errorf("read what the services expose: %w", err)
	}
	exposed, err := exposition.Read(text)
	if err != nil {
		return nil, err
	}
	to := time.Now().Truncate(interval)
	l := &fleet{file: file, rules: string(rules), from: to.Add(-f.Span), until: to.Add(-f.Span)}
	for n := range f.Systems {
		l.systems = append(l.systems, newSystem(n, exposed, l.from, to))
	}
	return l, nil
}

// advance writes what the systems expose up to now, and what the rules would have made of it minute by minute.
func (l *fleet) advance(ctx context.Context, now time.Time) error {
	for l.until.Add(interval).Before(now) {
		from, to := l.until, l.until.Add(slice)
		if to.After(now) {
			to = now.Truncate(interval)
		}
		for part := range slices.Chunk(l.systems, 10) {
			var all []prometheus.Series
			for _, s := range part {
				all = append(all, s.live(from, to)...)
			}
			if err := l.server.Write(ctx, all); err != nil {
				return err
			}
		}
		l.until = to
		for _, r := range l.file.Recordings() {
			if err := l.record(ctx, r, from, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// record writes a rule's series from one time, which is included, to another, which isn't.
func (l *fleet) record(ctx context.Context, r observability.Recording, from, to time.Time) error {
	first := from.Truncate(time.Minute)
	if first.Before(from) {
		first = first.Add(time.Minute)
	}
	if !first.Before(to) {
		return nil
	}
	found, err := l.server.Query(ctx, r.Expr, prometheus.Span{From: first, To: to.Add(-time.Millisecond), Step: time.Minute})
	if err != nil {
		return err
	}
	for _, s := range found {
		s.Labels["__name__"] = r.Name
		maps.Copy(s.Labels, r.Labels)
	}
	return l.server.Write(ctx, found)
}

// evaluate loads the rules and takes the time of each group's quickest evaluation.
func (l *fleet) evaluate(ctx context.Context, p *growth.Point) error {
	if err := l.server.Rules(ctx, l.rules, quick); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	w := watch{times: map[string][]float64{}, last: map[string]time.Time{}}
	for {
		groups, err := l.server.Groups(ctx)
		if err != nil {
			return err
		}
		enough, err := w.see(groups)
		if err != nil {
			return err
		}
		if enough {
			break
		}
		if err := sleep(ctx, quick/10); err != nil {
			return fmt.Errorf("wait for %d evaluations of %d groups: %w", evaluations, len(groups), err)
		}
	}
	p.Firing, p.Groups = w.firing, map[string]float64{}
	for name, all := range w.times {
		p.Groups[name] = slices.Min(all)
	}
	// From here on they take no more of the machine than they always do.
	return l.server.Rules(ctx, l.rules, time.Minute)
}

// watch is what was seen of rules that are evaluated again and again.
type watch struct {
	times  map[string][]float64 // of evaluations, by group
	last   map[string]time.Time
	firing int
}

// see adds the evaluations that are new and tells whether there are enough of every group.
func (w *watch) see(groups []prometheus.Group) (enough bool, err error) {
	enough, w.firing = len(groups) > 0, 0
	for _, g := range groups {
		if g.LastEvaluation.After(w.last[g.Name]) {
			w.last[g.Name], w.times[g.Name] = g.LastEvaluation, append(w.times[g.Name], g.EvaluationTime)
		}
		enough = enough && len(w.times[g.Name]) >= evaluations
		for _, r := range g.Rules {
			if r.Health == "err" {
				return false, fmt.Errorf("a rule of %s could not be evaluated", g.Name)
			}
			for _, a := range r.Alerts {
				if a.State == "firing" {
					w.firing++
				}
			}
		}
	}
	return enough, nil
}

// idle is what is held when nobody asks, rules running.
func (l *fleet) idle(ctx context.Context, p *growth.Point) error {
	if err := l.server.Collect(ctx); err != nil {
		return err
	}
	if err := sleep(ctx, settle); err != nil {
		return err
	}
	memory, err := l.server.Memory()
	if err != nil {
		return err
	}
	p.Idle = memory.Resident
	p.Active, err = l.server.Active(ctx)
	return err
}

// open asks every panel's query: all dashboards at once for the memory, then one by one for the time.
func (l *fleet) open(ctx context.Context, p *growth.Point) error {
	if err := l.server.ForgetPeak(); err != nil {
		return err
	}
	panels := l.file.Panels(".*")
	var wait sync.WaitGroup
	failed := make(chan error, len(panels))
	slots := make(chan struct{}, tabs)
	for _, panel := range panels {
		wait.Go(func() {
			slots <- struct{}{}
			now := time.Now()
			_, err := l.server.Ask(ctx, panel.Expr, prometheus.Span{From: now.Add(-panel.Span), To: now, Step: panel.Step})
			failed <- err
			<-slots
		})
	}
	wait.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	memory, err := l.server.Memory()
	if err != nil {
		return err
	}
	p.Peak, p.Panels = memory.Peak, map[string]growth.Cost{}
	for _, panel := range panels {
		now := time.Now()
		span := prometheus.Span{From: now.Add(-panel.Span), To: now, Step: panel.Step}
		if p.Panels[panel.Name], err = l.cost(ctx, []string{panel.Expr}, span); err != nil {
			return err
		}
	}
	return nil
}

// budgets compares the two ways to what is left of all budgets, over all that was written.
func (l *fleet) budgets(ctx context.Context, p *growth.Point) (err error) {
	window := fmt.Sprintf("%.0fm", l.until.Sub(l.from).Minutes())
	raw, recorded := l.file.Budgets(window)
	if p.RawBudgets, err = l.cost(ctx, raw, prometheus.Span{To: l.until}); err != nil {
		return err
	}
	p.RecordedBudgets, err = l.cost(ctx, recorded, prometheus.Span{To: l.until})
	return err
}

// cost is what some queries cost one after the other, in the quickest of a few rounds.
func (l *fleet) cost(ctx context.Context, queries []string, span prometheus.Span) (c growth.Cost, err error) {
	for _, query := range queries {
		one, err := l.server.Cost(ctx, query, span)
		if err != nil {
			return c, err
		}
		c.Read, c.Peak = c.Read+one.Read, max(c.Peak, one.Peak)
	}
	var times []float64
	for range rounds {
		begin := time.Now()
		for _, query := range queries {
			if _, err := l.server.Ask(ctx, query, span); err != nil {
				return c, err
			}
		}
		times = append(times, time.Since(begin).Seconds())
	}
	c.Seconds = slices.Min(times)
	return c, nil
}

// weigh is last, for it deletes what rules recorded to tell it from the rest.
func (l *fleet) weigh(ctx context.Context, p *growth.Point) error {
	if err := l.server.Rules(ctx, "groups: []\n", time.Minute); err != nil {
		return err
	}
	both, err := l.server.Stored(ctx)
	if err != nil {
		return err
	}
	if err := l.server.Delete(ctx, `{__name__=~"estela:.*|ALERTS.*"}`); err != nil {
		return err
	}
	raw, err := l.server.Stored(ctx)
	if err != nil {
		return err
	}
	if both.Samples <= raw.Samples {
		return errors.New("rules recorded nothing")
	}
	days := l.until.Sub(l.from).Hours() / 24
	p.RawSamples, p.RecordedSamples = float64(raw.Samples)/days, float64(both.Samples-raw.Samples)/days
	p.RawBytes, p.RecordedBytes = raw.Bytes, both.Bytes-raw.Bytes
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
