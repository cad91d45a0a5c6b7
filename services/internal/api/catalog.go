package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/fault"
)

// catalog is an immutable set of endpoints with their documents.
type catalog struct {
	datasets []endpoint.Dataset
	routes   map[string]*route // by path
	ordered  []*route
	posts    []string // datasets that take events
	index    []byte
	openAPI  []byte
	pins     access.Pins // of parameters that the documents leave out

	cfg      *Config
	checker  *endpoint.Checker // of all datasets; nil in a filtered catalog
	filtered filteredCatalogs

	// tools makes the handler of POST /mcp when the first agent comes.
	tools    sync.Once
	agent    http.Handler
	agentErr error
}

// maxFiltered is the number of filtered catalogs that are cached.
const maxFiltered = 64

// filteredCatalogs caches the parts of a catalog that credentials open, by fingerprint.
type filteredCatalogs struct {
	mu  sync.Mutex
	all map[string]*catalog
}

// newCatalog returns the catalog of the datasets; two endpoints with one path are an error.
func newCatalog(cfg *Config, datasets []endpoint.Dataset) (*catalog, error) {
	k := &catalog{datasets: datasets, routes: map[string]*route{}, posts: cfg.postable(datasets, access.Anyone), cfg: cfg}
	k.checker = endpoint.NewChecker(cfg.Reader, datasets)
	var views strings.Builder
	for _, d := range datasets {
		views.WriteString(d.Views + "\n")
	}
	for _, d := range datasets {
		for _, e := range d.Endpoints {
			r := newRoute(cfg, k.checker, d, e, views.String())
			if other, ok := k.routes[r.path]; ok {
				return nil, &endpoint.ParseError{File: e.File, Reason: r.path + " is the path of " + other.File + " already", Fix: "rename one of them"}
			}
			k.routes[r.path] = r
			k.ordered = append(k.ordered, r)
		}
	}
	return k, k.buildDocuments()
}

// buildDocuments writes the catalog's index and OpenAPI document.
func (k *catalog) buildDocuments() (err error) {
	if k.index, err = Index(k.datasets); err != nil {
		return err
	}
	k.openAPI, err = openAPI(k)
	return err
}

// notFoundProblem returns the problem of an unknown path, with the nearest endpoint.
func (k *catalog) notFoundProblem(path string) *problem {
	paths := make([]string, len(k.ordered))
	for i, r := range k.ordered {
		paths[i] = r.path
	}
	near := fault.Nearest(path, paths)
	names := make([]string, len(k.datasets))
	for i, d := range k.datasets {
		names[i] = d.Name
	}
	switch {
	case slices.ContainsFunc(k.posts, func(name string) bool { return path == "/v1/"+name+"/events" }):
		return notFound.new("", "Events are sent here by POST; there is nothing to read. GET /v1 lists what there is.")
	case near != "":
		return notFound.new("", "Nothing is here. Did you mean "+near+"? GET /v1 lists what there is.")
	case slices.Contains(names, strings.Trim(strings.TrimPrefix(path, "/v1"), "/")):
		return notFound.new("", "This is a dataset; its endpoints are below it. GET /v1 lists them.")
	default:
		return notFound.new("", "Nothing is here; GET /v1 lists what is.")
	}
}

// forGrant returns the part of the catalog that a credential opens, with documents of its own.
func (k *catalog) forGrant(g *access.Grant) (*catalog, error) {
	if g.ReadsAll() && len(k.cfg.postable(k.datasets, g)) == len(k.posts) {
		return k, nil
	}
	part := k.filter(g)
	id := part.fingerprint()
	k.filtered.mu.Lock()
	defer k.filtered.mu.Unlock()
	if known, ok := k.filtered.all[id]; ok {
		return known, nil
	}
	if err := part.buildDocuments(); err != nil {
		return nil, err
	}
	if len(k.filtered.all) >= maxFiltered || k.filtered.all == nil {
		k.filtered.all = map[string]*catalog{}
	}
	k.filtered.all[id] = part
	return part, nil
}

// filter returns a catalog of the datasets and endpoints that the credential opens, without the parameters
// that it pins.
func (k *catalog) filter(g *access.Grant) *catalog {
	part := &catalog{posts: k.cfg.postable(k.datasets, g), cfg: k.cfg, pins: g.Pins()}
	for _, d := range k.datasets {
		d.Endpoints = nil
		for _, r := range k.ordered {
			if r.dataset == d.Name && r.open(g) == nil {
				e := r.Endpoint
				e.Params = r.Unpinned(g.Pins().Values())
				d.Endpoints = append(d.Endpoints, e)
				part.ordered = append(part.ordered, r)
			}
		}
		if g.Reads(d.Name) || len(d.Endpoints) > 0 {
			part.datasets = append(part.datasets, d)
		}
	}
	return part
}

// fingerprint is equal for filtered catalogs with equal endpoints and parameters.
func (k *catalog) fingerprint() string {
	var b strings.Builder
	for _, d := range k.datasets {
		fmt.Fprintf(&b, "%s:", d.Name)
		for _, e := range d.Endpoints {
			fmt.Fprintf(&b, "%s(", e.Name)
			for _, p := range e.Params {
				fmt.Fprintf(&b, "%s,", p.Name)
			}
			b.WriteByte(')')
		}
		b.WriteByte(';')
	}
	fmt.Fprint(&b, k.posts)
	return b.String()
}
