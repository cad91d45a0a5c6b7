package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/diagnosis"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/inventory"
	"github.com/estela-dev/estela/services/internal/operation"
	"github.com/estela-dev/estela/services/internal/page"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// servedPages passes the API's visits on to the pages.
type servedPages struct{ *page.Server }

// Serve implements api.Pages.
func (p servedPages) Serve(c *fiber.Ctx, v *api.Visit) error { return p.Server.Serve(c, v) }

// newPages returns the pages of a process; pipeline is nil without a worker, streams without a warehouse.
func (c *core) newPages(pipeline page.Pipeline, streams page.Streams) servedPages {
	cfg := page.Config{
		Pipeline: pipeline, Streams: streams, Contracts: dataset.Contracts(c.datasets), Logger: c.log,
		Cases: c.cases, Use: func(name string) page.Use { return page.Use(c.metrics.Use(name)) }, Edited: c.edited.findings,
	}
	cfg.DataDir, cfg.Data = absolute(c.g.DataDir), make([]string, len(c.g.Data))
	for i, folder := range c.g.Data {
		cfg.Data[i] = absolute(folder)
	}
	if c.store != nil { // 'estela ingest' has none
		cfg.Rejects = storedRejects{c.store}
	}
	return servedPages{page.New(cfg)}
}

// absolute is a path that means the same in every directory.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path // the current directory is gone
}

// cases reads the tests of an endpoint.
func (c *core) cases(name string, e *endpoint.Endpoint) ([]endpoint.Case, error) {
	d, err := dataset.Pick(c.datasets, name)
	if err != nil {
		return nil, err
	}
	return e.LoadCases(d.Folder, d.Name)
}

// edits is why the last edit of the files is not served.
type edits struct{ err atomic.Pointer[error] }

// set keeps the outcome of a reload.
func (e *edits) set(err error) { e.err.Store(&err) }

// findings are what is wrong, each place of a file by itself; none if nothing is.
func (e *edits) findings() []page.Finding {
	err := e.err.Load()
	if err == nil || *err == nil {
		return nil
	}
	return editFindings(*err)
}

func editFindings(err error) (all []page.Finding) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			all = append(all, editFindings(one)...)
		}
		return all
	}
	if fault, ok := errors.AsType[*endpoint.ParseError](err); ok {
		return []page.Finding{{Name: fault.Place(), Found: fault.Reason, Fix: fault.Fix}}
	}
	return []page.Finding{{Name: "datasets", Found: err.Error(), Fix: "correct the files; what was there before is still served"}}
}

// storedRejects are the rejects in a warehouse.
type storedRejects struct{ store *warehouse.Warehouse }

// Groups implements page.Rejects.
func (s storedRejects) Groups(ctx context.Context, dataset string, limit int) ([]page.RejectGroup, error) {
	found, err := s.store.GroupRejects(ctx, dataset, limit)
	all := make([]page.RejectGroup, len(found))
	for i, g := range found {
		all[i] = page.RejectGroup(g)
	}
	return all, err
}

// Newest implements page.Rejects.
func (s storedRejects) Newest(ctx context.Context, dataset, keyword, place string, limit int) ([]page.Reject, error) {
	found, err := s.store.NewestRejects(ctx, dataset, keyword, place, limit)
	return pageRejects(found), err
}

// List implements page.Rejects.
func (s storedRejects) List(ctx context.Context, dataset string, limit int, after string) ([]page.Reject, error) {
	var from *warehouse.RejectKey
	if after != "" {
		key, err := warehouse.ParseRejectKey(after)
		if err != nil {
			return nil, page.ErrNoReject
		}
		from = &key
	}
	found, err := s.store.ListRejects(ctx, dataset, limit, from)
	return pageRejects(found), err
}

// Get implements page.Rejects.
func (s storedRejects) Get(ctx context.Context, dataset, id string) (page.Reject, error) {
	key, err := warehouse.ParseRejectKey(id)
	if err != nil {
		return page.Reject{}, page.ErrNoReject
	}
	found, err := s.store.GetReject(ctx, dataset, key)
	if errors.Is(err, warehouse.ErrNoReject) {
		return page.Reject{}, page.ErrNoReject
	}
	if err != nil {
		return page.Reject{}, err
	}
	return pageRejects([]warehouse.StoredReject{found})[0], nil
}

func pageRejects(found []warehouse.StoredReject) []page.Reject {
	all := make([]page.Reject, len(found))
	for i, r := range found {
		all[i] = page.Reject{ID: r.Key().String(), SchemaVersion: r.SchemaVersion, At: r.RejectedAt, Payload: r.Payload}
		for _, v := range r.Violations {
			all[i].Violations = append(all[i].Violations, page.Violation(v))
		}
	}
	return all
}

// seenStreams is what the pages see of the streams.
type seenStreams struct {
	operations *operation.Server
	// url returns that of Redis, empty as long as it is not known.
	url func() string
}

// seenStreams returns those that the pipeline gives access to.
func (c *core) seenStreams(pipeline operation.Pipeline, url func() string) seenStreams {
	return seenStreams{&operation.Server{Datasets: c.datasets, Store: c.store, Metrics: c.metrics, Pipeline: pipeline}, url}
}

// Stream implements page.Streams.
func (s seenStreams) Stream(c *contract.Contract, shard int) (url, key string) {
	return withoutPassword(s.url()), stream.Key(c, shard)
}

// locateTimeout bounds the search for an event.
const locateTimeout = 15 * time.Second

// Locate implements page.Streams.
func (s seenStreams) Locate(ctx context.Context, name, asked string) (page.Located, error) {
	d, err := dataset.Pick(s.operations.Datasets, name)
	if err != nil {
		return page.Located{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, locateTimeout)
	defer cancel()
	found, err := s.operations.Search(ctx, []*dataset.Dataset{d}, asked)
	if err != nil {
		return page.Located{}, err
	}
	all := page.Located{Searched: found.Searched}
	for _, e := range found.Events {
		one := page.Event{
			Shard: e.Shard, ID: e.ID, Line: e.Line, Key: e.Key, State: e.State, InStream: e.InStream,
			DuplicateOf: e.DuplicateOf, Position: e.Position, Stream: e.Stream,
		}
		if e.PublishedAt != nil {
			one.PublishedAt = *e.PublishedAt
		}
		if e.CommittedAt != nil {
			one.CommittedAt = *e.CommittedAt
		}
		for _, v := range e.Violations {
			one.Violations = append(one.Violations, v.String())
		}
		all.Events = append(all.Events, one)
	}
	return all, nil
}

// sampleTimeout bounds a sample: one is taken every second.
const sampleTimeout = 2 * time.Second

// Sample implements page.Pipeline.
func (s *startingEngine) Sample(ctx context.Context) page.Sample {
	now := page.Sample{At: time.Now()}
	select {
	case <-s.ended:
	default:
		now.Unready = "the worker is starting: its Redis loads what it has, or is not there yet"
		return now
	}
	if s.err != nil {
		now.Unready = s.err.Error()
		return now
	}
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	return s.engine.sample(ctx, now)
}

// sample adds the state of the streams and of this process' shards. Nothing of it needs a query.
func (e *engine) sample(ctx context.Context, now page.Sample) page.Sample {
	lags := map[string][]stream.Lag{}
	now.Freshness = map[string]page.Freshness{}
	for _, d := range e.core.datasets {
		all, err := e.redis.Lags(ctx, d.Contract)
		if err != nil {
			now.Unready = err.Error()
			break
		}
		lags[d.Name] = all
	}
	for _, d := range e.core.datasets {
		bounds, events := e.core.metrics.Freshness(d.Name)
		now.Freshness[d.Name] = page.Freshness{Bounds: bounds, Events: events}
	}
	for _, s := range e.worker.Status() {
		sh := page.Shard{
			Dataset: s.Dataset, Number: s.Shard, Owned: s.Owned, Reason: s.Reason, Oldest: s.Oldest, Published: -1, Position: s.Position.Last.String(),
			Stored: s.Position.Rows, Rejected: s.Position.Rejected, Duplicates: s.Position.Duplicates, CommittedAt: s.Position.CommittedAt,
		}
		if of := lags[s.Dataset]; s.Shard < len(of) {
			sh.Published, sh.Lag = of[s.Shard].Added, of[s.Shard].Entries
		}
		now.Shards = append(now.Shards, sh)
	}
	for _, o := range e.core.metrics.Objectives() {
		now.Objectives = append(now.Objectives, page.Objective(o))
	}
	return now
}

// Findings implements page.Pipeline.
func (s *startingEngine) Findings(ctx context.Context) []page.Finding {
	var wrong []page.Finding
	for _, f := range s.examine(ctx) {
		if f.Fix != "" {
			wrong = append(wrong, page.Finding{Name: f.Name, Found: f.Found, Fix: f.Fix, Warning: f.Warning})
		}
	}
	return wrong
}

// examine makes the checks of 'estela doctor' from inside of the process.
func (s *startingEngine) examine(ctx context.Context) []diagnosis.Finding {
	all := s.core.datasets
	found := examineContracts(all, nil)
	e, err := s.await(ctx)
	if err != nil {
		return append(found, diagnosis.Finding{Name: "worker", Found: err.Error(), Fix: "see the process' log"})
	}
	info, err := e.redis.Info(ctx)
	if err != nil {
		return append(found, diagnosis.Finding{Name: "redis", Found: err.Error(), Fix: s.core.g.redisFix()})
	}
	found = append(found, diagnosis.Server(ctx, e.redis, info)...)
	known, err := inventory.Take(ctx, s.core.store)
	if err != nil {
		return append(found, diagnosis.Finding{Name: "warehouse", Found: err.Error(), Fix: "see the process' log"})
	}
	found = append(found, examineKnown(ctx, all, known, e.redis)...)
	for _, reason := range s.Unready(ctx) {
		found = append(found, diagnosis.Finding{Name: "worker", Found: reason, Fix: "see the process' log"})
	}
	return append(found, examineVersion(s.core.g.Warehouse))
}

// examineKnown compares the contracts and Redis with a warehouse's inventory; client may be nil.
func examineKnown(ctx context.Context, all []*dataset.Dataset, known *inventory.Inventory, client *stream.Client) []diagnosis.Finding {
	by, err := known.Contracts()
	if err != nil {
		return append(diagnosis.Streams(ctx, all, nil, client),
			diagnosis.Finding{Name: "stored contracts", Found: err.Error(), Fix: "see the warehouse's line above", Warning: true})
	}
	var found []diagnosis.Finding
	for _, d := range all {
		if broken, ok := errors.AsType[*breakError](checkCompatible(d, by[d.Name], "the warehouse "+known.Warehouse.Location)); ok {
			found = append(found, diagnosis.Finding{Name: "contract " + d.Name, Found: broken.summary(), Fix: broken.hint})
		}
	}
	if client != nil {
		found = append(found, diagnosis.Identity(ctx, all, known, client))
	}
	found = append(found, diagnosis.Streams(ctx, all, known, client)...)
	left, err := known.Leftovers(ctx, dataset.Contracts(all), client)
	for _, l := range left {
		if _, err := dataset.Pick(all, l.Dataset); err == nil {
			continue // diagnosis.Streams names them
		}
		found = append(found, diagnosis.Finding{Name: "dataset " + l.Dataset, Found: l.Found, Fix: l.Fix, Warning: true})
	}
	if err != nil {
		found = append(found, diagnosis.Finding{Name: "streams", Found: err.Error(), Fix: "see the server's log"})
	}
	return found
}
