package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// get asks the API for a path.
func get(ctx context.Context, api http.RoundTripper, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the API: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	return api.RoundTrip(r)
}

// RefusedError is an answer of the API other than 200.
type RefusedError struct {
	Status int
	// text is the problem's (RFC 9457) title and detail, and when to try again.
	text string
}

// Error implements error.
func (r *RefusedError) Error() string { return r.text }

// refusedBy returns the refusal that the API answered with.
func refusedBy(res *http.Response) *RefusedError {
	var p struct{ Title, Detail, Parameter string }
	if json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&p) != nil || p.Title == "" {
		return &RefusedError{res.StatusCode, fmt.Sprintf("the API answered with status %d and no problem document", res.StatusCode)}
	}
	text := p.Title + ": " + p.Detail
	if p.Parameter != "" {
		text = p.Title + " " + p.Parameter + ": " + p.Detail
	}
	if after := res.Header.Get("Retry-After"); after != "" {
		text += " Try again in " + after + " s."
	}
	return &RefusedError{res.StatusCode, text}
}
