package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	defaultBaseURL = "https://monitoring.googleapis.com"
	queryTimeout   = 30 * time.Second
	// pageLimit, pagePoints and bytesLimit end a conversation that a server would not.
	pageLimit  = 10
	pagePoints = "1000"
	bytesLimit = 4 << 20
	// errorLimit is how much of a refusal is shown, in bytes.
	errorLimit = 2 << 10
)

// query is one question to timeSeries.list.
// https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list
type query struct {
	Monitoring

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
	response, err := q.client().Do(request)
	if err != nil {
		return page{}, fmt.Errorf("reach Cloud Monitoring: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return page{}, q.refusal(response)
	}
	var got page
	if err := json.NewDecoder(io.LimitReader(response.Body, bytesLimit)).Decode(&got); err != nil {
		return page{}, fmt.Errorf("read Cloud Monitoring's answer: %w", err)
	}
	return got, nil
}

// refusal is an answer that is no page. The token goes before the text is cut: half of it is a leak too.
func (q query) refusal(response *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, bytesLimit)) // the status is the error, the text a help
	text := strings.Join(strings.Fields(strings.ReplaceAll(string(body), q.token, hidden)), " ")
	if len(text) > errorLimit {
		text = strings.ToValidUTF8(text[:errorLimit], "") + "…"
	}
	return fmt.Errorf("ask Cloud Monitoring: %s: %s; the token's account needs roles/monitoring.viewer, and the SLO must exist",
		response.Status, text)
}

func (q query) address(next string) (string, error) {
	base := q.BaseURL
	if base == "" {
		base = defaultBaseURL
	}
	u, err := url.Parse(base)
	if err != nil || !safe(u) {
		return "", errors.New("read Cloud Monitoring's address: it is not https, and a token must not travel in the clear; leave BaseURL empty")
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

func safe(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" && u.Host != "" || u.Scheme == "http" && ip != nil && ip.IsLoopback()
}

// client follows no redirect: the API has none, and one would take the token along.
func (q query) client() *http.Client {
	c := q.Client
	if c == nil {
		c = http.DefaultClient
	}
	stay := *c
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &stay
}
