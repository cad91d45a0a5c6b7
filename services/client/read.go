package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"time"
)

// Page is a page of an answer, or an answer in one piece.
type Page[T any] struct {
	Rows []T
	// AsOf is the time of the commit that the page shows (Data-As-Of); zero: there is none yet.
	AsOf time.Time
	// Next is the cursor of the next page: the value of the parameter "cursor". It is empty on the last page.
	Next string
	// ETag names the answer, for [Page.Refresh].
	ETag string

	client *Client
	path   string
	query  url.Values
}

// Get asks an endpoint, such as "flights/departures", for the page that the query's "cursor" names, the first one
// without.
func Get[T any](ctx context.Context, c *Client, endpoint string, query url.Values) (*Page[T], error) {
	return (&Page[T]{client: c, path: "/v1/" + endpoint, query: query}).get(ctx)
}

// Refresh asks for the page again. Where nothing has changed it returns p itself, and neither the rows nor a query
// for them cost anything.
func (p *Page[T]) Refresh(ctx context.Context) (*Page[T], error) { return p.get(ctx) }

// Pages iterates over the pages of an answer, from the query's "cursor" on, each of which is asked for when it is
// needed. It ends after an error.
func Pages[T any](ctx context.Context, c *Client, endpoint string, query url.Values) iter.Seq2[*Page[T], error] {
	return func(yield func(*Page[T], error) bool) {
		at := maps.Clone(query)
		for {
			page, err := Get[T](ctx, c, endpoint, at)
			if !yield(page, err) || err != nil || page.Next == "" {
				return
			}
			at = maps.Clone(at)
			if at == nil {
				at = url.Values{}
			}
			at.Set("cursor", page.Next)
		}
	}
}

// Rows iterates over the rows of all pages of an answer. It ends after an error.
func Rows[T any](ctx context.Context, c *Client, endpoint string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page, err := range Pages[T](ctx, c, endpoint, query) {
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range page.Rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// get asks for the page, with retries.
func (p *Page[T]) get(ctx context.Context) (page *Page[T], err error) {
	err = retry(ctx, p.client.patience, nil, func(ctx context.Context) (err error) {
		page, err = p.ask(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", p.path, err)
	}
	return page, nil
}

// ask asks for the page once.
func (p *Page[T]) ask(ctx context.Context) (*Page[T], error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.client.url+p.path+"?"+p.query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	ok := []int{http.StatusOK}
	if p.ETag != "" {
		req.Header.Set("If-None-Match", p.ETag)
		ok = append(ok, http.StatusNotModified)
	}
	res, err := p.client.do(req, ok...)
	if err != nil {
		return nil, err
	}
	defer finish(res)
	if res.StatusCode == http.StatusNotModified {
		return p, nil
	}
	return p.read(res)
}

// read reads an answer. One that breaks off is asked for again.
func (p *Page[T]) read(res *http.Response) (*Page[T], error) {
	var answer struct {
		Data []T
		Meta struct {
			AsOf time.Time `json:"as_of"`
			Next string
		}
	}
	body := &body{Reader: res.Body}
	d := json.NewDecoder(body)
	d.UseNumber()
	if err := d.Decode(&answer); body.err != nil {
		return nil, connectionError(body.err)
	} else if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return &Page[T]{
		Rows: answer.Data, AsOf: answer.Meta.AsOf, Next: answer.Meta.Next, ETag: res.Header.Get("ETag"),
		client: p.client, path: p.path, query: p.query,
	}, nil
}

// body keeps the error of reading an answer apart from those of what is in it.
type body struct {
	io.Reader

	err error
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (n int, err error) {
	if n, err = b.Reader.Read(p); err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}
