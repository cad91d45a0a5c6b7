package page

import (
	"net/http"
	"slices"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/problem"
)

func (s *Server) referenceRoutes() []route {
	return []route{
		{"/docs", s.reference},
		{"/docs/problems", s.problems},
		{"/docs/problems/{kind}", s.problemKind},
		{"/docs/{dataset}/{endpoint}", s.endpoint},
	}
}

// referencePage is the page at /docs.
type referencePage struct {
	view

	// Wrong is why the last edit of the files is not served, to a visit that inspects.
	Wrong []Finding
	// Opened are the datasets that the visit reads from, Posts those that it may send events to.
	Opened []endpoint.Dataset
	Posts  []*contract.Contract
	// Base is the server's URL, as it was asked.
	Base string
}

func (s *Server) reference(r *request) error {
	r.view.Title = r.view.T("Reference")
	p := referencePage{view: r.view, Wrong: s.wrong(r), Base: r.base()}
	for _, d := range r.Datasets() {
		if len(d.Endpoints) > 0 {
			p.Opened = append(p.Opened, d)
		}
		if r.Posts(d.Name) {
			if k := s.contract(d.Name); k != nil {
				p.Posts = append(p.Posts, k)
			}
		}
	}
	return r.render(http.StatusOK, "reference", p)
}

// contract returns the dataset's contract, nil if there is none.
func (s *Server) contract(dataset string) *contract.Contract {
	i := slices.IndexFunc(s.cfg.Contracts, func(k *contract.Contract) bool { return k.Name == dataset })
	if i < 0 {
		return nil
	}
	return s.cfg.Contracts[i]
}

// wrong returns why the last edit of the files is not served, to a visit that inspects.
func (s *Server) wrong(r *request) []Finding {
	if s.cfg.Edited == nil || !r.Inspects() {
		return nil
	}
	return s.cfg.Edited()
}

// base is the server's URL, as it was asked.
func (r *request) base() string { return r.c.Protocol() + "://" + string(r.c.Context().Host()) }

// Post is a request that sends events of the dataset.
func (p referencePage) Post(dataset string) string {
	key := ""
	if p.Guarded {
		key = ` -H "Authorization: Bearer $ESTELA_API_KEY"`
	}
	return "curl" + key + " -H 'Content-Type: application/x-ndjson' --data-binary @events.ndjson " + shellQuote(p.Base+pathTo("/v1", dataset, "events"))
}

// problemsPage is the page at /docs/problems, and of one kind below it.
type problemsPage struct {
	view

	Kinds []problem.Kind
}

func (s *Server) problems(r *request) error {
	r.view.Title = r.view.T("Problems")
	return r.render(http.StatusOK, "problems", problemsPage{r.view, r.Problems()})
}

func (s *Server) problemKind(r *request) error {
	for _, k := range r.Problems() {
		if k.Slug == r.path["kind"] {
			r.view.Title = k.Title
			return r.render(http.StatusOK, "kind", problemsPage{r.view, []problem.Kind{k}})
		}
	}
	r.path = map[string]string{"dataset": "problems", "endpoint": r.path["kind"]} // a dataset may have this name
	return s.endpoint(r)
}
