package operation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// maxListed bounds a list of rejects, replayPage a batch of their replay.
const (
	maxListed  = 10_000
	replayPage = 1_000
)

// Reject is an event that broke its contract.
type Reject struct {
	Dataset    string            `json:"dataset"`
	ID         string            `json:"id"`
	RejectedAt time.Time         `json:"rejected_at"`
	Schema     string            `json:"schema_version"`
	Violations []event.Violation `json:"violations"`
	Payload    []byte            `json:"payload"`
}

func newReject(r warehouse.StoredReject) Reject {
	return Reject{
		Dataset: r.Dataset, ID: r.Key().String(), RejectedAt: r.RejectedAt,
		Schema: r.SchemaVersion, Violations: r.Violations, Payload: r.Payload,
	}
}

// ListRejects requests a []Reject of one dataset or, if that is empty, of all.
func ListRejects(dataset string, limit int) Request {
	return Request{http.MethodGet, "/ops/rejects", url.Values{"dataset": {dataset}, "limit": {strconv.Itoa(limit)}}}
}

func (s *Server) listRejects(r *http.Request) (any, error) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > maxListed {
		return nil, fault.Usagef("limit: give a number from 1 to %d", maxListed)
	}
	from, err := s.selected(r)
	if err != nil {
		return nil, err
	}
	all := []Reject{}
	for _, d := range from {
		found, err := s.Store.ListRejects(r.Context(), d.Name, limit-len(all), nil)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			all = append(all, newReject(f))
		}
	}
	return all, nil
}

// ShowReject requests the Reject with a listed ID.
func ShowReject(dataset, id string) Request {
	return Request{http.MethodGet, "/ops/rejects/" + dataset + "/" + id, nil}
}

func (s *Server) showReject(r *http.Request, d *dataset.Dataset) (any, error) {
	key, err := warehouse.ParseRejectKey(r.PathValue("id"))
	if err != nil {
		return nil, fault.Usage(err)
	}
	found, err := s.Store.GetReject(r.Context(), d.Name, key)
	if errors.Is(err, warehouse.ErrNoReject) {
		err = fault.Usagef("%w; 'estela rejects list %s' shows what there is", err, d.Name)
	}
	return newReject(found), err
}

// Purged is how many rejects were deleted.
type Purged struct{ Purged int64 }

// PurgeRejects requests to delete the rejects of a dataset older than age. The response is Purged.
func PurgeRejects(dataset string, age time.Duration) Request {
	return Request{http.MethodPost, "/ops/rejects/" + dataset + "/purge", url.Values{"older_than": {age.String()}}}
}

func (s *Server) purgeRejects(r *http.Request, d *dataset.Dataset) (any, error) {
	age, err := time.ParseDuration(r.URL.Query().Get("older_than"))
	if err != nil || age < 0 {
		return nil, fault.Usagef("older_than: give a duration such as 720h, or 0s for all")
	}
	purged, err := s.Store.PurgeRejects(r.Context(), d.Name, time.Now().Add(-age))
	return Purged{purged}, err
}

// ReplayedRejects is the result of a replay of rejects.
type ReplayedRejects struct {
	Stored     int `json:"stored"`
	Duplicates int `json:"duplicates"`
	Rejected   int `json:"rejected"`
}

// ReplayRejects requests to decode every reject of a dataset again. The response is ReplayedRejects.
func ReplayRejects(dataset string) Request {
	return Request{http.MethodPost, "/ops/rejects/" + dataset + "/replay", nil}
}

func (s *Server) replayRejects(r *http.Request, d *dataset.Dataset) (any, error) {
	var done ReplayedRejects
	var after *warehouse.RejectKey
	for {
		page, err := s.Store.ListRejects(r.Context(), d.Name, replayPage, after)
		if err == nil && len(page) > 0 {
			err = s.replayPage(r.Context(), d, page, &done)
		}
		if err != nil {
			return nil, fmt.Errorf("replay rejects of %s after %d stored: %w", d.Name, done.Stored, err)
		}
		if len(page) < replayPage {
			break
		}
		last := page[len(page)-1].Key()
		after = &last
	}
	return done, nil
}

// replayPage decodes rejects again, with their original IDs, and stores those that are valid now, in
// one commit a shard.
func (s *Server) replayPage(ctx context.Context, d *dataset.Dataset, page []warehouse.StoredReject, done *ReplayedRejects) error {
	decoder := d.NewDecoder()
	batches := make([]*contract.Batch, d.Shards)
	for _, r := range page {
		if r.Shard >= d.Shards {
			return fault.Usagef("reject %s: the contract has %d shards now", r.Key(), d.Shards)
		}
		if batches[r.Shard] == nil {
			batches[r.Shard] = d.NewBatch(r.Shard, len(page))
		}
		b := batches[r.Shard]
		if decoder.DecodeReject(b, r.Reject) {
			b.Replayed = append(b.Replayed, r.Reject)
			continue
		}
		b.Rejects = b.Rejects[:0] // it stays a reject
		done.Rejected++
	}
	for _, b := range batches {
		if b == nil || b.Rows == 0 {
			continue
		}
		if err := s.commit(ctx, d, b); err != nil {
			return err
		}
		done.Stored += b.Rows
		done.Duplicates += b.Duplicates
	}
	return nil
}

// Replayed is the result of a replay of streams.
type Replayed struct{ Entries, Rows int64 }

// Replay requests to reread the dataset's streams. The response is Replayed.
func Replay(dataset string) Request {
	return Request{http.MethodPost, "/ops/replay/" + dataset, nil}
}

func (s *Server) replay(r *http.Request, d *dataset.Dataset) (any, error) {
	by, release, err := s.Pipeline.Worker(r.Context())
	if err != nil {
		return nil, err
	}
	before := by.Counts(d.Contract)
	err = by.Replay(r.Context(), d.Contract)
	after := by.Counts(d.Contract)
	if ended := release(); err == nil {
		err = ended
	}
	if err != nil {
		err = fmt.Errorf("replay %s: %w", d.Name, err)
	}
	return Replayed{after.Entries - before.Entries, after.Rows - before.Rows}, err
}
