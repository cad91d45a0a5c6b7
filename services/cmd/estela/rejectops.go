package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/worker"
)

// maxListed bounds one answer of the list of rejects, replayPage one step of
// their replay.
const (
	maxListed  = 10_000
	replayPage = 1_000
)

func shownReject(r warehouse.StoredReject) reject {
	return reject{
		Dataset: r.Dataset, ID: r.Key().String(), RejectedAt: r.RejectedAt,
		Schema: r.SchemaVersion, Violations: r.Violations, Payload: r.Payload,
	}
}

// listRejects lists the rejects of one dataset, or of all.
func (n *node) listRejects(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > maxListed {
		refuse(w, fault.Usagef("limit: give a number from 1 to %d", maxListed))
		return
	}
	from, ok := n.among(w, r)
	if !ok {
		return
	}
	all := []reject{}
	for _, d := range from {
		found, err := n.store.ListRejects(r.Context(), d.Name, limit-len(all), nil)
		if err != nil {
			refuse(w, err)
			return
		}
		for _, f := range found {
			all = append(all, shownReject(f))
		}
	}
	answer(w, all)
}

// showReject answers with one reject, its bytes in base64.
func (n *node) showReject(w http.ResponseWriter, r *http.Request) {
	d, ok := n.dataset(w, r)
	if !ok {
		return
	}
	key, err := warehouse.ParseRejectKey(r.PathValue("id"))
	if err != nil {
		refuse(w, fault.Usage(err))
		return
	}
	found, err := n.store.GetReject(r.Context(), d.Name, key)
	if errors.Is(err, warehouse.ErrNoReject) {
		err = fault.Usagef("%w; 'estela rejects list %s' shows what there is", err, d.Name)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, shownReject(found))
}

// purgeRejects deletes the rejects of a dataset that are older than asked for.
func (n *node) purgeRejects(w http.ResponseWriter, r *http.Request) {
	d, ok := n.dataset(w, r)
	if !ok {
		return
	}
	age, err := time.ParseDuration(r.URL.Query().Get("older_than"))
	if err != nil || age < 0 {
		refuse(w, fault.Usagef("older_than: give a duration such as 720h, or 0s for all"))
		return
	}
	purged, err := n.store.PurgeRejects(r.Context(), d.Name, time.Now().Add(-age))
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, map[string]int64{"Purged": purged})
}

// replayRejects tries every reject of a dataset again.
func (n *node) replayRejects(w http.ResponseWriter, r *http.Request) {
	d, ok := n.dataset(w, r)
	if !ok {
		return
	}
	var done replayed
	var after *warehouse.RejectKey
	for {
		page, err := n.store.ListRejects(r.Context(), d.Name, replayPage, after)
		if err == nil && len(page) > 0 {
			err = n.replayPage(r.Context(), d, page, &done)
		}
		if err != nil {
			refuse(w, fmt.Errorf("replay rejects of %s after %d stored: %w", d.Name, done.Stored, err))
			return
		}
		if len(page) < replayPage {
			break
		}
		last := page[len(page)-1].Key()
		after = &last
	}
	answer(w, done)
}

// replayPage decodes rejects again, each from the place it came from, and stores
// those that hold the contract now, one commit a shard.
func (n *node) replayPage(ctx context.Context, d *dataset.Dataset, page []warehouse.StoredReject, done *replayed) error {
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
		if decoder.Decode(b, r.Payload, r.ID, r.Line) {
			b.Replayed = append(b.Replayed, r.Reject)
			continue
		}
		b.Rejects = b.Rejects[:0] // it stays where it is
		done.Rejected++
	}
	for _, b := range batches {
		if b == nil || b.Rows == 0 {
			continue
		}
		start := time.Now()
		if err := worker.Store(ctx, n.worker, n.store, b); err != nil {
			return err
		}
		done.Stored += b.Rows
		done.Duplicates += b.Duplicates
		n.metrics.Stored(d.Name, b, time.Since(start))
	}
	return nil
}
