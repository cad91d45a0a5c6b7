package prometheus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// send is a request and its answer, which is an error if the status is one.
func (s *Server) send(ctx context.Context, method, path string, header http.Header, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for name := range header {
		req.Header.Set(name, header.Get(name))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask prometheus: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s: %s: %s", path, res.Status, bytes.TrimSpace(text))
	}
	return text, nil
}

// Count is the number of series that a query answers with now.
func (s *Server) Count(ctx context.Context, query string) (int, error) {
	text, err := s.send(ctx, http.MethodGet, "/api/v1/query?query="+url.QueryEscape(query), nil, nil)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct {
			Result []struct{ Metric map[string]string } // of a number by itself, which has no series, it is none
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return 0, fmt.Errorf("read answer of %s: %w", query, err)
	}
	return len(answer.Data.Result), nil
}
