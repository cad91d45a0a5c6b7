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

	"github.com/estela-dev/estela/services/internal/endpoint"
)

// route is an endpoint at its path, with the server's limits where it sets none.
type route struct {
	endpoint.Endpoint

	dataset, label, path string
	checker              *endpoint.Checker
	// reads are the datasets whose data it shows, its own first.
	reads []string
	shape atomic.Pointer[endpoint.Shape]
	// id names the endpoint as it is written: an edited one has another.
	id  string
	sum uint64
	// volatile is an answer that may change though the data don't.
	volatile     bool
	offers       []*format
	mediaTypes   []string
	cacheControl []byte
}

// newRoute is the route of an endpoint of the dataset; views are the SQL of all datasets' views.
func newRoute(cfg *Config, checker *endpoint.Checker, d endpoint.Dataset, e endpoint.Endpoint, views string) *route {
	r := &route{Endpoint: e, checker: checker, dataset: d.Name, label: d.Name + "/" + e.Name, path: pathOf(d, e), reads: append([]string{d.Name}, e.Reads...)}
	r.Limit.Rows = cmp.Or(r.Limit.Rows, cfg.MaxRows)
	r.Limit.Time = cmp.Or(r.Limit.Time, cfg.QueryTimeout)
	r.sum = xxh3.HashString(fmt.Sprintf("%s\x00%s\x00%v\x00%v\x00%v\x00%s", r.path, e.Typed(), e.Params, e.Order, e.Chart, views))
	r.id = string(binary.BigEndian.AppendUint64(nil, r.sum))
	r.volatile = endpoint.Volatile(e.SQL) || endpoint.Volatile(views)
	r.offers = formatsOf(&e)
	for _, f := range r.offers {
		r.mediaTypes = append(r.mediaTypes, f.accepts...)
	}
	scope := "public"
	if cfg.Keys != nil {
		scope = "private"
	}
	r.cacheControl = []byte(scope + ", no-cache")
	if e.Cache >= time.Second {
		r.cacheControl = []byte(scope + ", max-age=" + strconv.Itoa(int(e.Cache/time.Second)))
	}
	return r
}

func pathOf(d endpoint.Dataset, e endpoint.Endpoint) string { return "/v1/" + d.Name + "/" + e.Name }

// describe is what the endpoint answers with. Its SQL is checked before, once; what was found
// is used again.
func (r *route) describe(ctx context.Context) (*endpoint.Shape, error) {
	if sh := r.shape.Load(); sh != nil {
		return sh, nil
	}
	sh, err := r.checker.Shape(ctx, r.dataset, &r.Endpoint)
	if err == nil {
		r.shape.Store(sh)
	}
	return sh, err
}
