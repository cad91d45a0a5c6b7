package page

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/endpoint"
)

// step is how many seconds a point of a line stands for.
const step = 5

// overviewPage is the page at /.
type overviewPage struct {
	view

	// Datasets are those that the visit opens, with their endpoints.
	Opened []endpoint.Dataset
	// Live is nil for a visit that doesn't inspect, or without a pipeline.
	Live *figures
	// Wrong is why the last edit of the files is not served; it is one of the findings of Live.
	Wrong []Finding
}

// figures is the pipeline's state as it is shown.
type figures struct {
	Datasets   []datasetFigures
	Shards     []shardFigures
	Objectives []objectiveFigures
	Findings   []Finding
	// Checked is false before the first check.
	Checked bool
}

// datasetFigures are those of a dataset: rates a second of the last seconds, and their course.
type datasetFigures struct {
	Name                        string
	Published, Stored, Rejected string
	PublishedLine, StoredLine, RejectedLine,
	Total, TotalRejected string
	Lag, Age string
	// Fresh is the time within which nearly all events of the last minute were queryable.
	Fresh string
}

type shardFigures struct {
	Shard

	ID, Owner, Total, Invalid, Entries, Age, Committed string
}

type objectiveFigures struct {
	Title, Target, Share, Budget string
	// Left is the budget that is left in percent, from 0 to 100.
	Left int
}

func (s *Server) overview(r *request) error {
	p := overviewPage{view: r.view, Opened: r.Datasets()}
	p.Title = r.view.T("Overview")
	if r.view.Inspects && s.cfg.Pipeline != nil {
		f := s.figures(r.c.UserContext(), r.view)
		p.Live = &f
	} else {
		p.Wrong = s.wrong(r)
	}
	return r.render(http.StatusOK, "overview", p)
}

// figures returns what the samples show now.
func (s *Server) figures(ctx context.Context, v view) figures {
	samples := s.samples(ctx)
	now := samples[len(samples)-1]
	var f figures
	f.Findings, f.Checked = s.checks.latest(ctx)
	if s.cfg.Edited != nil {
		f.Findings = slices.Concat(s.cfg.Edited(), f.Findings)
	}
	if now.Unready != "" { // it is newer than the checks, which may still say that all is well
		f.Findings = slices.Concat([]Finding{{Name: v.T("pipeline"), Found: now.Unready, Fix: v.T("if this stays, see the process' log")}}, f.Findings)
	}
	for _, name := range datasetsOf(now) {
		f.Datasets = append(f.Datasets, s.datasetFigures(v, name, samples))
	}
	for _, sh := range now.Shards {
		f.Shards = append(f.Shards, newShardFigures(v, sh, now.At))
	}
	for _, o := range now.Objectives {
		f.Objectives = append(f.Objectives, newObjectiveFigures(v, o))
	}
	return f
}

// samples are those that were taken, oldest first; one of now before Run has taken any.
func (s *Server) samples(ctx context.Context) []Sample {
	if taken := s.history.last(); len(taken) > 0 {
		return taken
	}
	return []Sample{s.cfg.Pipeline.Sample(ctx).withTotals()}
}

// datasetsOf are the names of the sample's datasets, in order.
func datasetsOf(s Sample) (names []string) {
	for _, sh := range s.Shards {
		if len(names) == 0 || names[len(names)-1] != sh.Dataset {
			names = append(names, sh.Dataset)
		}
	}
	return names
}

func (s *Server) datasetFigures(v view, name string, samples []Sample) datasetFigures {
	now := samples[len(samples)-1].totals[name]
	count := func(of func(totals) int64) func(Sample) int64 {
		return func(s Sample) int64 {
			if t, ok := s.totals[name]; ok {
				return of(t)
			}
			return -1 // as before the worker has started
		}
	}
	published := count(func(t totals) int64 { return t.published })
	stored := count(func(t totals) int64 { return t.stored })
	rejected := count(func(t totals) int64 { return t.rejected })
	f := datasetFigures{
		Name: name, Total: v.Number(now.stored), TotalRejected: v.Number(now.rejected), Lag: lagText(v, now.lag), Age: age(now.oldest),
	}
	f.Fresh = fresh(samples, name)
	f.Published, f.PublishedLine = course(v, samples, published)
	f.Stored, f.StoredLine = course(v, samples, stored)
	f.Rejected, f.RejectedLine = course(v, samples, rejected)
	return f
}

// fresh is the time within which 99 % of the dataset's events of the last minute were queryable.
func fresh(samples []Sample, name string) string {
	now := samples[len(samples)-1].Freshness[name]
	if len(samples) > 60 {
		now = now.since(samples[len(samples)-61].Freshness[name])
	}
	if bound, ok := now.within(0.99); ok {
		return "≤ " + age(bound)
	}
	return unknown
}

// course returns the rate of the last seconds and the points of its line.
func course(v view, samples []Sample, count func(Sample) int64) (now, line string) {
	last := rates(samples[max(0, len(samples)-3):], min(2, max(1, len(samples)-1)), count)
	switch {
	case count(samples[len(samples)-1]) < 0:
		now = unknown
	case len(last) == 0:
		now = v.Number(0)
	default:
		now = v.Number(int64(last[len(last)-1] + 0.5))
	}
	return now, points(rates(samples, step, count))
}

// unknown is shown for a figure that nobody knows now, as those of Redis while it does not answer.
const unknown = "–"

// The size of a line's picture, in its own units.
const lineWidth, lineHeight = 240, 40

// points are those of a line of the last minutes, newest at the right, in lineWidth × lineHeight; its
// height is the highest value.
func points(values []float64) string {
	top := 1.0
	for _, v := range values {
		top = max(top, v)
	}
	var b strings.Builder
	for i, v := range values {
		x := lineWidth - (len(values)-1-i)*lineWidth*step/(sampled-1)
		fmt.Fprintf(&b, "%d,%.1f ", x, lineHeight-1-v/top*(lineHeight-2))
	}
	return strings.TrimSuffix(b.String(), " ")
}

func newShardFigures(v view, sh Shard, now time.Time) shardFigures {
	f := shardFigures{
		Shard: sh, ID: sh.Dataset + "." + strconv.Itoa(sh.Number), Owner: v.T("this process"), Total: v.Number(sh.Stored),
		Invalid: v.Number(sh.Rejected), Entries: lagText(v, sh.lag()), Age: age(sh.Oldest),
	}
	switch {
	case sh.Reason != "":
		f.Owner = v.T(sh.Reason)
	case !sh.Owned:
		f.Owner = v.T("nobody")
	}
	if !sh.CommittedAt.IsZero() {
		f.Committed = age(max(0, now.Sub(sh.CommittedAt)))
	}
	return f
}

func newObjectiveFigures(v view, o Objective) objectiveFigures {
	f := objectiveFigures{Title: o.Title, Target: percent(v, o.Target), Share: unknown, Budget: percent(v, o.Budget()), Left: int(100 * min(1, max(0, o.Budget())))}
	if o.Total > 0 {
		f.Share = percent(v, o.Good/o.Total)
	}
	return f
}

// lag is the number of entries that are not stored, -1 if the stream could not be asked.
func (s Shard) lag() int64 {
	if s.Published < 0 {
		return -1
	}
	return s.Lag
}

// lagText writes a lag.
func lagText(v view, n int64) string {
	if n < 0 {
		return unknown
	}
	return v.Number(n)
}

// percent writes a share, rounded so that only what is whole is 100 %.
func percent(v view, share float64) string {
	if share < 1 && share > 0.9999 {
		share = 0.9999
	}
	return v.Language.printer().Sprintf("%v %%", float64(int64(share*1e4))/100)
}

// age writes a duration of what people care for.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	}
}

// frame returns the overview's live parts, by the names that its template gives them.
func (s *Server) frame(ctx context.Context, in locale) frame {
	v := view{Language: in}
	f := s.figures(ctx, v)
	out := frame{Text: map[string]string{}, Line: map[string]string{}, Width: map[string]string{}, Findings: f.Findings}
	if f.Checked && f.Findings == nil {
		out.Findings = []Finding{} // all is well; nil is not known yet
	}
	for _, d := range f.Datasets {
		for name, text := range map[string]string{
			"published": d.Published, "stored": d.Stored, "rejected": d.Rejected,
			"total": d.Total, "invalid": d.TotalRejected, "lag": d.Lag, "age": d.Age, "fresh": d.Fresh,
		} {
			out.Text[name+"."+d.Name] = text
		}
		for name, line := range map[string]string{"published": d.PublishedLine, "stored": d.StoredLine, "rejected": d.RejectedLine} {
			out.Line[name+"."+d.Name] = line
		}
	}
	for _, sh := range f.Shards {
		for name, text := range map[string]string{
			"owner": sh.Owner, "position": sh.Position, "stored": sh.Total, "rejected": sh.Invalid, "lag": sh.Entries, "age": sh.Age, "committed": sh.Committed,
		} {
			out.Text["shard."+name+"."+sh.ID] = text
		}
	}
	for i, o := range f.Objectives {
		n := strconv.Itoa(i)
		out.Text["share."+n], out.Text["budget."+n], out.Width["budget."+n] = o.Share, o.Budget, strconv.Itoa(o.Left)
	}
	return out
}
