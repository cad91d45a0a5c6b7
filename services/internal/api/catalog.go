package api

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/agnivade/levenshtein"

	"github.com/estela-dev/estela/services/internal/endpoint"
)

// catalog is what is served at a time: the endpoints and the documents about them.
type catalog struct {
	datasets []endpoint.Dataset
	routes   map[string]*route // by path
	ordered  []*route
	index    []byte
	openAPI  []byte

	cfg   *Config
	views views
}

// maxViews is the number of views of a catalog that are remembered.
const maxViews = 64

// views are the parts of a catalog that keys see, by what is in them.
type views struct {
	mu  sync.Mutex
	all map[string]*catalog
}

// newCatalog gives every endpoint its path.
func newCatalog(cfg *Config, datasets []endpoint.Dataset) (*catalog, error) {
	k := &catalog{datasets: datasets, routes: map[string]*route{}, cfg: cfg}
	checker := endpoint.NewChecker(cfg.Reader, datasets)
	var views strings.Builder
	for _, d := range datasets {
		views.WriteString(d.Views + "\n")
	}
	for _, d := range datasets {
		for _, e := range d.Endpoints {
			r := newRoute(cfg, checker, d, e, views.String())
			if other, ok := k.routes[r.path]; ok {
				return nil, &endpoint.ParseError{File: e.File, Reason: r.path + " is the path of " + other.File + " already", Fix: "rename one of them"}
			}
			k.routes[r.path] = r
			k.ordered = append(k.ordered, r)
		}
	}
	return k, k.document()
}

// document writes the documents about what the catalog has.
func (k *catalog) document() (err error) {
	if k.index, err = index(k.datasets); err != nil {
		return err
	}
	k.openAPI, err = openAPI(k.cfg, k.datasets, k.ordered)
	return err
}

// missing is the problem of a path with nothing at it, with what is near it.
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

// sees reports whether the key opens the endpoint; a nil key is for an API without keys.
func (k *Key) sees(r *route) bool { return k == nil || k.opensAll(r.reads) }

// seesAll reports whether the key opens all there is, today and tomorrow.
func (k *Key) seesAll() bool { return k == nil || k.opens("*") }

// view is the part of the catalog that a key opens, with documents that name nothing else.
func (k *catalog) view(key *Key) (*catalog, error) {
	if key.seesAll() {
		return k, nil
	}
	part := k.part(key)
	id := part.name()
	k.views.mu.Lock()
	defer k.views.mu.Unlock()
	if known, ok := k.views.all[id]; ok {
		return known, nil
	}
	if err := part.document(); err != nil {
		return nil, err
	}
	if len(k.views.all) >= maxViews || k.views.all == nil {
		k.views.all = map[string]*catalog{}
	}
	k.views.all[id] = part
	return part, nil
}

// part are the datasets that the key opens, with those of their endpoints that it does.
func (k *catalog) part(key *Key) *catalog {
	part := &catalog{cfg: k.cfg}
	for _, d := range k.datasets {
		if key.opens(d.Name) {
			d.Endpoints = nil
			part.datasets = append(part.datasets, d)
		}
	}
	for _, r := range k.ordered {
		for i := range part.datasets {
			if d := &part.datasets[i]; d.Name == r.dataset && key.sees(r) {
				d.Endpoints = append(d.Endpoints, r.Endpoint)
				part.ordered = append(part.ordered, r)
			}
		}
	}
	return part
}

// name is the same for parts with the same in them.
func (k *catalog) name() string {
	var b strings.Builder
	for _, d := range k.datasets {
		fmt.Fprintf(&b, "%s:", d.Name)
		for _, e := range d.Endpoints {
			fmt.Fprintf(&b, "%s,", e.Name)
		}
		b.WriteByte(';')
	}
	return b.String()
}
