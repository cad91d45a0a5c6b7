package operation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// backfillRows is how many rows one commit of a backfill has: a row group.
const backfillRows = 122_880

// CheckVersion requests that the server runs with that version of the dataset's contract; the response
// is empty.
func CheckVersion(dataset, version string) Request {
	return Request{http.MethodGet, "/ops/backfill/" + dataset, url.Values{"version": {version}}}
}

// checkVersion refuses rows that were validated by another version of the contract than the server's.
func (s *Server) checkVersion(r *http.Request, d *dataset.Dataset) (any, error) {
	var err error
	if by := r.URL.Query().Get("version"); by != d.Version {
		err = fault.Refusedf("the process that has the warehouse runs with another version of the contract of %s (%s, not %s): restart it first. Nothing was stored", d.Name, d.Version, by)
	}
	return struct{}{}, err
}

// Backfilled is the result of a backfill.
type Backfilled struct {
	Stored     int `json:"stored"`
	Duplicates int `json:"duplicates"`
}

// Backfill requests to store the events of an NDJSON body. The response is Backfilled.
func Backfill(dataset string) Request {
	return Request{http.MethodPost, "/ops/backfill/" + dataset, nil}
}

func (s *Server) backfill(r *http.Request, d *dataset.Dataset) (any, error) {
	l := NewLoader(d, func(ctx context.Context, b *contract.Batch) error { return s.commit(ctx, d, b) })
	body, err := importer.Open(r.Context(), importer.Config{Reader: r.Body, Format: tabular.NDJSON})
	if err == nil {
		//nolint:contextcheck // it is the request's
		err = body.Each(r.Context(), func(one importer.Document) error { return l.Add(r.Context(), one) })
		if errors.Is(err, importer.ErrNoRows) { // the client reports why
			err = nil
		}
		err = errors.Join(err, body.Close())
	}
	if err == nil {
		err = l.Flush(r.Context())
	}
	if err != nil {
		err = fmt.Errorf("backfill %s after %d rows stored: %w", d.Name, l.Done.Stored, err)
	}
	return l.Done, err
}

// Loader stores rows that were not read from a stream, one row group of a shard in each commit.
type Loader struct {
	// Done is what is committed so far.
	Done Backfilled

	dataset *dataset.Dataset
	decoder *contract.Decoder
	commit  func(context.Context, *contract.Batch) error
	one     *contract.Batch
	batches []*contract.Batch // by shard
}

// NewLoader returns a Loader that stores its batches by commit.
func NewLoader(d *dataset.Dataset, commit func(context.Context, *contract.Batch) error) *Loader {
	return &Loader{dataset: d, decoder: d.NewDecoder(), commit: commit, one: d.NewBatch(0, 1), batches: make([]*contract.Batch, d.Shards)}
}

// Add adds one row, which must be a valid event.
func (l *Loader) Add(ctx context.Context, r importer.Document) error {
	l.one.Reset()
	if r.Problem != nil || !l.decoder.Decode(l.one, r.JSON, event.ID{MS: uint64(time.Now().UnixMilli())}, uint32(r.Line)) {
		return fault.Usagef("line %d is no valid event of %s", r.Line, l.dataset.Name)
	}
	shard := event.Shard(l.one.PartitionString(0), l.dataset.Shards)
	if l.batches[shard] == nil {
		l.batches[shard] = l.dataset.NewBatch(shard, backfillRows)
	}
	b := l.batches[shard]
	b.Append(l.one, 0)
	if b.Rows >= backfillRows {
		return l.store(ctx, b)
	}
	return nil
}

// Flush commits the remaining batches.
func (l *Loader) Flush(ctx context.Context) error {
	for _, b := range l.batches {
		if b == nil || b.Rows == 0 {
			continue
		}
		if err := l.store(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (l *Loader) store(ctx context.Context, b *contract.Batch) error {
	b.Unstreamed = true
	if err := l.commit(ctx, b); err != nil {
		return err
	}
	l.Done.Stored += b.Rows
	l.Done.Duplicates += b.Duplicates
	b.Reset()
	return nil
}
