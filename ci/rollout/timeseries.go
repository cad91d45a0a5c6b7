package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"time"
)

const (
	monitoringURL = "https://monitoring.googleapis.com"
	queryTimeout  = 30 * time.Second
	// pageLimit and pagePoints end a conversation that a server would not.
	pageLimit  = 10
	pagePoints = "1000"
)

// query is one question to timeSeries.list.
// https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list
type query struct {
	monitoring          Monitoring
	token, project, slo string
	end                 time.Time
	within              time.Duration
}

type page struct {
	TimeSeries []struct {
		Points []point `json:"points"`
	} `json:"timeSeries"`
	NextPageToken   string `json:"nextPageToken"`
	ExecutionErrors []struct {
		Message string `json:"message"`
	} `json:"executionErrors"`
}

type point struct {
	Interval struct {
		EndTime time.Time `json:"endTime"`
	} `json:"interval"`
	Value struct {
		DoubleValue *double `json:"doubleValue"`
	} `json:"value"`
}

func (p point) fraction() float64 { return float64(*p.Value.DoubleValue) }

// double is a number as protobuf's JSON has it, where these three are strings.
type double float64

// UnmarshalJSON reads a number or one of "NaN", "Infinity" and "-Infinity".
func (d *double) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `"NaN"`:
		*d = double(math.NaN())
	case `"Infinity"`:
		*d = double(math.Inf(1))
	case `"-Infinity"`:
		*d = double(math.Inf(-1))
	default:
		return json.Unmarshal(text, (*float64)(d))
	}
	return nil
}

// newest reads on only while pages are empty: within a series the newest point comes first.
func (q query) newest(ctx context.Context) (*point, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	next := ""
	for range pageLimit {
		got, err := q.page(ctx, next)
		if err != nil {
			return nil, err
		}
		if len(got.ExecutionErrors) > 0 {
			return nil, fmt.Errorf("the answer is incomplete: %s; ask again", got.ExecutionErrors[0].Message)
		}
		if p := got.newest(); p != nil || got.NextPageToken == "" {
			return p, nil
		}
		next = got.NextPageToken
	}
	return nil, fmt.Errorf("%d pages without a point, and more to come; ask again", pageLimit)
}

// newest of all series; of two as new the one with less left. NaN is nothing divided by nothing: no data.
func (p page) newest() *point {
	var best *point
	for _, series := range p.TimeSeries {
		for _, c := range series.Points {
			if c.Value.DoubleValue == nil || math.IsNaN(c.fraction()) {
				continue
			}
			if best == nil || c.Interval.EndTime.After(best.Interval.EndTime) ||
				c.Interval.EndTime.Equal(best.Interval.EndTime) && c.fraction() < best.fraction() {
				best = &c
			}
		}
	}
	return best
}

func (q query) page(ctx context.Context, next string) (page, error) {
	address, err := q.address(next)
	if err != nil {
		return page{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return page{}, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+q.token)
	response, err := staying(q.monitoring.Client).Do(request)
	if err != nil {
		return page{}, fmt.Errorf("reach Cloud Monitoring: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return page{}, fmt.Errorf("ask Cloud Monitoring: %w; the token's account needs roles/monitoring.viewer, and the SLO must exist", refusal(response, q.token))
	}
	var got page
	if err := json.NewDecoder(io.LimitReader(response.Body, bytesLimit)).Decode(&got); err != nil {
		return page{}, fmt.Errorf("read Cloud Monitoring's answer: %w", err)
	}
	return got, nil
}

func (q query) address(next string) (string, error) {
	u, err := trusted(q.monitoring.BaseURL, monitoringURL)
	if err != nil {
		return "", fmt.Errorf("read Cloud Monitoring's address: %w", err)
	}
	u = u.JoinPath("v3", q.project, "timeSeries")
	values := url.Values{
		"filter":             {fmt.Sprintf("select_slo_budget_fraction(%q)", q.slo)},
		"interval.startTime": {q.end.Add(-q.within).Format(time.RFC3339)},
		"interval.endTime":   {q.end.Format(time.RFC3339)},
		"pageSize":           {pagePoints},
	}
	if next != "" {
		values.Set("pageToken", next)
	}
	u.RawQuery = values.Encode()
	return u.String(), nil
}
