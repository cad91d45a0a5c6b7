package api

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/endpoint"
)

// catalog is what is served at a time: the endpoints and the documents about them.
type catalog struct {
	datasets []endpoint.Dataset
	routes   map[string]*route // by path
	ordered  []*route
	index    []byte
	openAPI  []byte
	views    views
}

// route is an endpoint at its path.
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
	// volatile says that its answer may change though the data don't.
	volatile     bool
	offers       []*format
	mediaTypes   []string
	cacheControl []byte
}

// newCatalog gives every endpoint its path.
func (s *Server) newCatalog(datasets []endpoint.Dataset) (*catalog, error) {
	k := &catalog{datasets: datasets, routes: map[string]*route{}}
	checker := endpoint.NewChecker(s.cfg.Reader, datasets)
	var views strings.Builder
	for _, d := range datasets {
		views.WriteString(d.Views + "\n")
	}
	for _, d := range datasets {
		for _, e := range d.Endpoints {
			r := s.newRoute(d, e, views.String())
			r.checker = checker
			if other, ok := k.routes[r.path]; ok {
				return nil, &endpoint.ParseError{File: e.File, Reason: r.path + " is the path of " + other.File + " already", Fix: "rename one of them"}
			}
			k.routes[r.path] = r
			k.ordered = append(k.ordered, r)
		}
	}
	var err error
	if k.index, err = index(datasets); err != nil {
		return nil, err
	}
	k.openAPI, err = s.openAPI(k)
	return k, err
}

func (s *Server) newRoute(d endpoint.Dataset, e endpoint.Endpoint, views string) *route {
	r := &route{Endpoint: e, dataset: d.Name, label: d.Name + "/" + e.Name, path: pathOf(d, e), reads: append([]string{d.Name}, e.Reads...)}
	r.sum = xxh3.HashString(fmt.Sprintf("%s\x00%s\x00%v\x00%v\x00%v\x00%s", r.path, e.Typed(), e.Params, e.Order, e.Chart, views))
	r.id = string(binary.BigEndian.AppendUint64(nil, r.sum))
	r.volatile = endpoint.Volatile(e.SQL) || endpoint.Volatile(views)
	r.offers = r.formats()
	for _, f := range r.offers {
		r.mediaTypes = append(r.mediaTypes, f.accepts...)
	}
	scope := "public"
	if s.cfg.Keys != nil {
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

// maxRows is the highest number of rows in one of the endpoint's answers.
func (r *route) maxRows(cfg Config) int {
	if r.Limit.Rows > 0 {
		return r.Limit.Rows
	}
	return cfg.MaxRows
}

// timeout is how long the endpoint's query may take, waiting included.
func (r *route) timeout(cfg Config) time.Duration {
	if r.Limit.Time > 0 {
		return r.Limit.Time
	}
	return cfg.QueryTimeout
}

// missing says that nothing is at the path, and what is near it.
func (k *catalog) missing(path string) *problem {
	near, distance := "", 1+len(path)/3
	for _, r := range k.ordered {
		if d := levenshtein.ComputeDistance(path, r.path); d < distance {
			near, distance = r.path, d
		}
	}
	names := make([]string, len(k.datasets))
	for i, d := range k.datasets {
		names[i] = d.Name
	}
	switch {
	case near != "":
		return notFound.new("", "Nothing is here. Did you mean "+near+"? GET /v1 lists what there is.")
	case slices.Contains(names, strings.Trim(strings.TrimPrefix(path, "/v1"), "/")):
		return notFound.new("", "This is a dataset; its endpoints are below it. GET /v1 lists them.")
	default:
		return notFound.new("", "Nothing is here; GET /v1 lists what is.")
	}
}
