package page

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/endpoint"
)

// Rejects are the events that broke their contract.
type Rejects interface {
	// Groups returns at most limit groups of a dataset's rejects, those with the most rejects first.
	Groups(ctx context.Context, dataset string, limit int) ([]RejectGroup, error)
	// Newest returns at most limit rejects of a group, the newest first.
	Newest(ctx context.Context, dataset, keyword, place string, limit int) ([]Reject, error)
	// List returns at most limit rejects in the order of the streams, after the one with an ID, empty for the first.
	List(ctx context.Context, dataset string, limit int, after string) ([]Reject, error)
	// Get returns the reject with an ID, or ErrNoReject.
	Get(ctx context.Context, dataset, id string) (Reject, error)
}

// ErrNoReject means that no reject has the ID.
var ErrNoReject = errors.New("no such reject")

// RejectGroup is the rejects whose first violation is of the same keyword at the same place.
type RejectGroup struct {
	// Place is the JSON pointer, with * for the indexes of lists.
	Keyword, Place string
	// Message is the first violation of one of them.
	Message     string
	Rejects     int64
	First, Last time.Time
}

// Reject is an event that broke its contract.
type Reject struct {
	// ID is SHARD/STREAM-ID/LINE.
	ID, SchemaVersion string
	At                time.Time
	Violations        []Violation
	Payload           []byte
}

// Violation is what of the contract a payload broke, and where.
type Violation struct{ Pointer, Keyword, Message string }

// Reason is the first violation.
func (r Reject) Reason() Violation {
	if len(r.Violations) == 0 {
		return Violation{}
	}
	return r.Violations[0]
}

const (
	maxGroups  = 100
	pageGroup  = 20
	pageReject = 50
	// rejectTimeout bounds the queries of a page.
	rejectTimeout = 10 * time.Second
)

func (s *Server) rejectRoutes() []route {
	return []route{
		{"/datasets/{dataset}/rejects", inspecting(s.rejects)},
		{"/datasets/{dataset}/rejects/{shard}/{entry}/{line}", inspecting(s.reject)},
	}
}

// rejectsPage is the data of rejects.html.
type rejectsPage struct {
	view

	Dataset string
	Groups  []RejectGroup
	// MoreGroups: there are others, of fewer rejects.
	MoreGroups bool
	// Chosen is the group whose newest rejects are listed, nil if all are listed in the order of the streams.
	Chosen *RejectGroup
	List   []Reject
	// After is the ID after which the next page begins, empty on the last; Later is that this one is not the first.
	After string
	Later bool
}

// rejects is the page of a dataset's rejects by reason.
func (s *Server) rejects(r *request) error {
	p := rejectsPage{view: r.view, Dataset: r.path["dataset"], Later: r.query.Get("after") != ""}
	if s.cfg.Rejects == nil || !r.hasDataset(p.Dataset) {
		return errNotFound
	}
	p.Title = p.Dataset + ": " + r.view.T("Rejects")
	ctx, cancel := context.WithTimeout(r.c.UserContext(), rejectTimeout)
	defer cancel()
	var err error
	if p.Groups, err = s.cfg.Rejects.Groups(ctx, p.Dataset, maxGroups+1); err != nil {
		return r.unread(err)
	}
	if len(p.Groups) > maxGroups {
		p.Groups, p.MoreGroups = p.Groups[:maxGroups], true
	}
	if r.query.Has("keyword") {
		p.Chosen = &RejectGroup{Keyword: r.query.Get("keyword"), Place: r.query.Get("place")}
		p.List, err = s.cfg.Rejects.Newest(ctx, p.Dataset, p.Chosen.Keyword, p.Chosen.Place, pageGroup)
	} else {
		p.List, err = s.cfg.Rejects.List(ctx, p.Dataset, pageReject+1, r.query.Get("after"))
		if len(p.List) > pageReject {
			p.List = p.List[:pageReject]
			p.After = p.List[pageReject-1].ID
		}
	}
	if errors.Is(err, ErrNoReject) {
		return errNotFound
	}
	if err != nil {
		return r.unread(err)
	}
	return r.render(http.StatusOK, "rejects", p)
}

// rejectPage is the data of reject.html.
type rejectPage struct {
	view
	Reject

	Dataset string
	Parts   []segment
	// Before and After: some of the payload is left out there.
	Before, After bool
	Size          int
}

// reject is the page of one reject.
func (s *Server) reject(r *request) error {
	p := rejectPage{view: r.view, Dataset: r.path["dataset"]}
	if s.cfg.Rejects == nil || !r.hasDataset(p.Dataset) {
		return errNotFound
	}
	ctx, cancel := context.WithTimeout(r.c.UserContext(), rejectTimeout)
	defer cancel()
	id := strings.Join([]string{r.path["shard"], r.path["entry"], r.path["line"]}, "/")
	var err error
	switch p.Reject, err = s.cfg.Rejects.Get(ctx, p.Dataset, id); {
	case errors.Is(err, ErrNoReject):
		return r.problem(http.StatusNotFound, "There is no such reject: it may have been replayed or purged.")
	case err != nil:
		return r.unread(err)
	}
	p.Title = p.Dataset + ": " + r.view.T("Reject") + " " + p.ID
	p.Size = len(p.Payload)
	p.Parts, p.Before, p.After = markPayload(p.Payload, p.Violations)
	return r.render(http.StatusOK, "reject", p)
}

// unread answers that the warehouse could not be read, with 503 if that took too long.
func (r *request) unread(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return r.problem(http.StatusServiceUnavailable, "The warehouse took too long to answer. Try again later.")
	}
	return err
}

// hasDataset reports whether the visit opens the dataset.
func (r *request) hasDataset(name string) bool {
	return slices.ContainsFunc(r.Datasets(), func(d endpoint.Dataset) bool { return d.Name == name })
}

// RejectPath returns the path of a reject's page.
func (p rejectsPage) RejectPath(r Reject) string {
	return pathTo("/datasets", append([]string{p.Dataset, "rejects"}, strings.Split(r.ID, "/")...)...)
}
