package prometheus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
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

// Span is what a range query asks for: a value at From and at every Step after it, until To. Without a step it is an
// instant query at To.
type Span struct {
	From, To time.Time
	Step     time.Duration
}

// Ask is a query's answer as it arrives, its cost too, for those who only want to know how long it takes.
func (s *Server) Ask(ctx context.Context, query string, span Span) ([]byte, error) {
	path, values := "query", url.Values{"query": {query}, "time": {unix(span.To)}, "stats": {"1"}}
	if span.Step > 0 {
		path = "query_range"
		values.Del("time")
		values.Set("start", unix(span.From))
		values.Set("end", unix(span.To))
		values.Set("step", strconv.FormatFloat(span.Step.Seconds(), 'f', 3, 64))
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	text, err := s.send(ctx, http.MethodPost, "/api/v1/"+path, header, []byte(values.Encode()))
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", query, err)
	}
	return text, nil
}

// Cost is what a query has Prometheus read.
type Cost struct {
	// Read are all samples that it looks at, Peak those that it holds at once; --query.max-samples bounds the latter.
	Read int64 `json:"totalQueryableSamples"`
	Peak int64 `json:"peakSamples"`
}

// Cost is Prometheus' own count for a query.
func (s *Server) Cost(ctx context.Context, query string, span Span) (Cost, error) {
	text, err := s.Ask(ctx, query, span)
	if err != nil {
		return Cost{}, err
	}
	var answer struct {
		Data struct {
			Stats struct{ Samples Cost }
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return Cost{}, fmt.Errorf("read cost of %s: %w", query, err)
	}
	return answer.Data.Stats.Samples, nil
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// Query is a query's answer, each series with the labels it has.
func (s *Server) Query(ctx context.Context, query string, span Span) ([]Series, error) {
	text, err := s.Ask(ctx, query, span)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct{ Result json.RawMessage }
	}
	var found []struct {
		Metric map[string]string
		Value  *sample
		Values []sample
	}
	err = errors.Join(json.Unmarshal(text, &answer), json.Unmarshal(answer.Data.Result, &found))
	if err != nil {
		return nil, fmt.Errorf("read answer of %s: %w", query, err)
	}
	all := make([]Series, len(found))
	for i, f := range found {
		all[i].Labels = f.Metric
		if f.Value != nil {
			f.Values = append(f.Values, *f.Value)
		}
		for _, v := range f.Values {
			all[i].Samples = append(all[i].Samples, Sample(v))
		}
	}
	return all, nil
}

// sample is one as JSON has it: the time in seconds, and the value as text, for it may be NaN.
type sample Sample

func (s *sample) UnmarshalJSON(text []byte) error {
	var seconds float64
	var value string
	if err := json.Unmarshal(text, &[]any{&seconds, &value}); err != nil {
		return fmt.Errorf("read sample: %w", err)
	}
	s.At = time.UnixMilli(int64(seconds*1000 + 0.5))
	var err error
	s.Value, err = strconv.ParseFloat(value, 64)
	return err //nolint:wrapcheck // the caller says of which query
}

// Group is a group of rules.
type Group struct {
	Name string `json:"name"`
	// EvaluationTime is how many seconds the last evaluation took.
	EvaluationTime float64   `json:"evaluationTime"`
	LastEvaluation time.Time `json:"lastEvaluation"`
	Rules          []struct {
		Health string `json:"health"`
		// Alerts are those that the rule tells of now, firing or pending.
		Alerts []struct {
			State string `json:"state"`
		} `json:"alerts"`
	} `json:"rules"`
}

// Groups are those that are loaded.
func (s *Server) Groups(ctx context.Context) ([]Group, error) {
	var answer struct {
		Data struct{ Groups []Group }
	}
	text, err := s.send(ctx, http.MethodGet, "/api/v1/rules", nil, nil)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return answer.Data.Groups, nil
}
