package api

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/chart"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// route is an endpoint at its path, with the server's limits as defaults.
type route struct {
	endpoint.Endpoint

	dataset, label, path string
	checker              *endpoint.Checker
	// reads are the datasets that it reads, its own first.
	reads []string
	shape atomic.Pointer[endpoint.Shape]
	// id is sum, a hash of the endpoint's definition, as bytes.
	id  string
	sum uint64
	// chartRows is the highest number of rows in a chart.
	chartRows int
	// volatile is true if the answer may change though the data don't.
	volatile bool
	// adhoc: it has no file, and is of a page (see Visit.Ask).
	adhoc        bool
	offers       []*format
	mediaTypes   []string
	cacheControl []byte
}

// newRoute returns the route of an endpoint; views is the SQL of all datasets' views.
func newRoute(cfg *Config, checker *endpoint.Checker, d endpoint.Dataset, e endpoint.Endpoint, views string) *route {
	r := &route{Endpoint: e, checker: checker, dataset: d.Name, label: d.Name + "/" + e.Name, path: pathOf(d, e), reads: append([]string{d.Name}, e.Reads...)}
	r.chartRows = cmp.Or(r.Limit.Rows, max(cfg.MaxRows, chart.MaxRows))
	r.Limit.Rows = cmp.Or(r.Limit.Rows, cfg.MaxRows)
	r.Limit.Time = cmp.Or(r.Limit.Time, cfg.QueryTimeout)
	r.sum = xxh3.HashString(fmt.Sprintf("%s\x00%s\x00%v\x00%v\x00%v\x00%s", r.path, e.CastSQL(), e.Params, e.Order, e.Chart, views))
	r.id = string(binary.BigEndian.AppendUint64(nil, r.sum))
	r.volatile = endpoint.Volatile(e.SQL) || endpoint.Volatile(views)
	r.offers = endpointFormats(&e)
	for _, f := range r.offers {
		r.mediaTypes = append(r.mediaTypes, f.accepts...)
	}
	scope := "public"
	if cfg.Access != nil {
		scope = "private"
	}
	r.cacheControl = []byte(scope + ", no-cache")
	if e.Cache >= time.Second {
		r.cacheControl = []byte(scope + ", max-age=" + strconv.Itoa(int(e.Cache/time.Second)))
	}
	return r
}

func pathOf(d endpoint.Dataset, e endpoint.Endpoint) string { return "/v1/" + d.Name + "/" + e.Name }

// describe checks the endpoint's SQL and returns the shape of its answer, cached after the first
// success.
func (r *route) describe(ctx context.Context) (*endpoint.Shape, error) {
	if sh := r.shape.Load(); sh != nil {
		return sh, nil
	}
	check := func(ctx context.Context) (*endpoint.Shape, error) {
		return r.checker.Shape(ctx, r.dataset, &r.Endpoint)
	}
	if r.adhoc {
		check = func(ctx context.Context) (*endpoint.Shape, error) { return r.checker.AdhocShape(ctx, &r.Endpoint) }
	}
	sh, err := check(ctx)
	if err == nil {
		r.shape.Store(sh)
	}
	return sh, err
}
