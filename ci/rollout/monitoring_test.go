package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/ci/rollout"
)

const (
	slo   = "projects/estela-1/services/api/serviceLevelObjectives/availability"
	other = "projects/estela-1/services/api/serviceLevelObjectives/freshness"
	token = "ya29.secret-token_of-the-test"
)

func giveToken(context.Context) (string, error) { return token + "\n", nil }

// monitoring answers each request by its number, from 0 on; the last answer serves for the rest.
func monitoring(t *testing.T, answers ...string) rollout.Monitoring {
	t.Helper()
	var n atomic.Int32
	return handled(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, answers[min(int(n.Add(1)), len(answers))-1])
	})
}

func handled(t *testing.T, handler http.HandlerFunc) rollout.Monitoring {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return rollout.Monitoring{Client: server.Client(), BaseURL: server.URL, Token: giveToken}
}

func points(values ...string) string {
	var all []string
	for i, v := range values {
		all = append(all, fmt.Sprintf(`{"interval":{"startTime":"2026-11-24T10:%02d:00Z","endTime":"2026-11-24T10:%02d:00Z"},"value":{"doubleValue":%s}}`, 30-i, 30-i, v))
	}
	return `{"metric":{"type":"x"},"metricKind":"GAUGE","valueType":"DOUBLE","points":[` + strings.Join(all, ",") + `]}`
}

func series(all ...string) string {
	return `{"timeSeries":[` + strings.Join(all, ",") + `],"unit":"1"}`
}

func TestRemainingAsksAsTheAPIWantsIt(t *testing.T) {
	t.Parallel()
	m := handled(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Method != http.MethodGet || r.URL.Path != "/v3/projects/estela-1/timeSeries" ||
			q.Get("filter") != `select_slo_budget_fraction("`+slo+`")` || r.Header.Get("Authorization") != "Bearer "+token {
			t.Errorf("got %s %s %v", r.Method, r.URL, r.Header)
		}
		start, err1 := time.Parse(time.RFC3339, q.Get("interval.startTime"))
		end, err2 := time.Parse(time.RFC3339, q.Get("interval.endTime"))
		if err := errors.Join(err1, err2); err != nil || end.Sub(start) != 10*time.Minute || time.Since(end).Abs() > time.Minute {
			t.Errorf("interval %s to %s: %v", start, end, err)
		}
		io.WriteString(w, series(points("0.75", "0.8")))
	})
	if left, err := m.Remaining(t.Context(), slo); err != nil || left != 0.75 {
		t.Errorf("got %v, %v", left, err)
	}
}

func TestRemainingTakesTheNewestPoint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		answers []string
		want    float64
	}{
		{"whole", []string{series(points("1"))}, 1},
		{"overspent", []string{series(points("-3.5"))}, -3.5},
		{"without bound", []string{series(points(`"-Infinity"`, "1"))}, math.Inf(-1)},
		{"zero", []string{series(points("0"))}, 0},
		{"not a number yet", []string{series(points(`"NaN"`, "0.5"))}, 0.5},
		{"of two series the worse", []string{series(points("0.9"), points("0.2"))}, 0.2},
		{"out of order", []string{strings.Replace(series(points("0.9", "0.2")), "10:29:00Z\"},\"value\"", "10:59:00Z\"},\"value\"", 1)}, 0.2},
		{"an empty page first", []string{`{"nextPageToken":"n"}`, series(points("0.4"))}, 0.4},
	} {
		if left, err := monitoring(t, c.answers...).Remaining(t.Context(), slo); err != nil || left != c.want {
			t.Errorf("%s: got %v, %v; want %v", c.name, left, err, c.want)
		}
	}
}

func TestRemainingTurnsPages(t *testing.T) {
	t.Parallel()
	var asked []string
	m := handled(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("pageToken"))
		io.WriteString(w, `{"nextPageToken":"a+b/c="}`)
	})
	_, err := m.Remaining(t.Context(), slo)
	wantError(t, err, "10 pages without a point")
	if len(asked) != 10 || asked[0] != "" || asked[1] != "a+b/c=" {
		t.Errorf("asked %q", asked)
	}
}

func TestRemainingWithoutData(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"{}", series(), series(points()), series(points(`"NaN"`)), `{"timeSeries":[{"points":[{"value":{}}]}]}`} {
		_, err := monitoring(t, answer).Remaining(t.Context(), slo)
		wantError(t, err, "ask the error budget of "+slo, "no data in the last 10 minutes", "see in Cloud Monitoring")
		if !errors.Is(err, rollout.ErrNoData) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

func TestRemainingRefuses(t *testing.T) {
	t.Parallel()
	silent := handled(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	for _, name := range []string{
		"", "availability", "projects/p/services/s", slo + `") OR metric.type="x`, "projects/../services/s/serviceLevelObjectives/o/x",
		"projects/p?x/services/s/serviceLevelObjectives/o", slo + "\n", "organizations/1/services/s/serviceLevelObjectives/o",
	} {
		_, err := silent.Remaining(t.Context(), name)
		wantError(t, err, "give projects/P/services/S/serviceLevelObjectives/O")
	}
	for _, base := range []string{"http://monitoring.googleapis.com", "ftp://127.0.0.1", "://", "https://", "http://localhost.example.com"} {
		m := silent
		m.BaseURL = base
		_, err := m.Remaining(t.Context(), slo)
		wantError(t, err, "a token must not travel in the clear")
	}
	for want, give := range map[string]func(context.Context) (string, error){
		"there is no access token":        nil,
		"the access token is empty":       func(context.Context) (string, error) { return " \n", nil },
		"get access token: no permission": func(context.Context) (string, error) { return "", errors.New("no permission") },
	} {
		m := silent
		m.Token = give
		_, err := m.Remaining(t.Context(), slo)
		wantError(t, err, want)
	}
}

func TestRemainingShowsWhatTheAPISays(t *testing.T) {
	t.Parallel()
	_, err := handled(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "{\n  \"error\": {\n    \"message\": \"Permission denied\" }}"+strings.Repeat(" x", 1<<20))
	}).Remaining(t.Context(), slo)
	wantError(t, err, "403 Forbidden", `{ "error": { "message": "Permission denied" }}`, "roles/monitoring.viewer")
	if err != nil && len(err.Error()) > 4<<10 {
		t.Errorf("%d bytes", len(err.Error()))
	}
	_, err = monitoring(t, `{"executionErrors":[{"code":4,"message":"timed out"}]}`).Remaining(t.Context(), slo)
	wantError(t, err, "the answer is incomplete: timed out")
	_, err = monitoring(t, "<html>").Remaining(t.Context(), slo)
	wantError(t, err, "read Cloud Monitoring's answer")
	_, err = monitoring(t, series(points(`"many"`))).Remaining(t.Context(), slo)
	wantError(t, err, "read Cloud Monitoring's answer")
}

func TestBurnt(t *testing.T) {
	t.Parallel()
	left := func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Query().Get("filter"), other):
			io.WriteString(w, series(points("0.049")))
		default:
			io.WriteString(w, series(points("0.5")))
		}
	}
	m := handled(t, left)
	for _, floor := range []float64{0.04, 0.049, 0, -1} {
		if err := m.Burnt(t.Context(), []string{slo, other}, floor); err != nil {
			t.Errorf("floor %v: %v", floor, err)
		}
	}
	err := m.Burnt(t.Context(), []string{slo, other}, 0.1)
	wantError(t, err, "the error budget of "+other+" is burnt: 4.9 % is left, below the floor of 10.0 %")
	if strings.Contains(err.Error(), slo) {
		t.Errorf("the other is named too: %v", err)
	}
	err = m.Burnt(t.Context(), []string{slo, "nonsense", other}, 0.9)
	wantError(t, err, slo+" is burnt", other+" is burnt", "ask the error budget of nonsense")
	if err := m.Burnt(t.Context(), nil, 0.9); err != nil {
		t.Error(err)
	}
	for _, floor := range []float64{math.NaN(), 1.01, math.Inf(1), 10} {
		wantError(t, m.Burnt(t.Context(), []string{slo}, floor), "give a fraction such as 0.1")
	}
}

func TestBurntTellsNewFromSilent(t *testing.T) {
	t.Parallel()
	if err := monitoring(t, "{}", "{}").Burnt(t.Context(), []string{slo}, 0.1); err != nil {
		t.Errorf("a new SLO: %v", err)
	}
	err := monitoring(t, "{}", series(points("1"))).Burnt(t.Context(), []string{slo}, 0.1)
	if wantError(t, err, slo, "no data in the last 10 minutes"); !errors.Is(err, rollout.ErrNoData) {
		t.Error(err)
	}
	err = monitoring(t, "{}", "broken").Burnt(t.Context(), []string{slo}, 0.1)
	wantError(t, err, "ask whether "+slo+" is new")

	var intervals []time.Duration
	m := handled(t, func(w http.ResponseWriter, r *http.Request) {
		start, _ := time.Parse(time.RFC3339, r.URL.Query().Get("interval.startTime"))
		end, _ := time.Parse(time.RFC3339, r.URL.Query().Get("interval.endTime"))
		intervals = append(intervals, end.Sub(start))
		io.WriteString(w, "{}")
	})
	if err := m.Burnt(t.Context(), []string{slo}, 0.1); err != nil || len(intervals) != 2 || intervals[1] != 30*24*time.Hour {
		t.Errorf("got %v, %v", intervals, err)
	}
}

// Whoever repeats the token, it is in no error, and not in part.
func TestTheTokenIsInNoError(t *testing.T) {
	t.Parallel()
	echo := handled(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, r.Header)
	})
	cut := handled(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, strings.Repeat("x", 2<<10-20)+r.Header.Get("Authorization"))
	})
	incomplete := monitoring(t, `{"executionErrors":[{"message":"no access for `+token+`"}]}`)
	redirect := handled(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/elsewhere?token="+token, http.StatusFound)
	})
	broken := rollout.Monitoring{Token: giveToken, Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("dump %v", r.Header)
	})}}
	garbled := rollout.Monitoring{Token: func(context.Context) (string, error) { return token + "\nX: y", nil }}
	giver := rollout.Monitoring{Token: func(context.Context) (string, error) { return token, errors.New("expired: " + token) }}
	for name, m := range map[string]rollout.Monitoring{
		"echo": echo, "cut": cut, "incomplete": incomplete, "redirect": redirect, "broken": broken, "garbled": garbled, "giver": giver,
	} {
		_, err := m.Remaining(t.Context(), slo)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		err = errors.Join(err, m.Burnt(t.Context(), []string{slo}, 0.1))
		for e := err; e != nil; e = errors.Unwrap(e) {
			if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, token[:8]) {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", echo, echo, echo); strings.Contains(text, token) {
		t.Error("the token is in what is printed of Monitoring")
	}
}

func TestTheDefaultAddressIsGoogles(t *testing.T) {
	t.Parallel()
	m := rollout.Monitoring{Token: giveToken, Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if r.URL.Scheme != "https" || r.URL.Host != "monitoring.googleapis.com" {
			t.Errorf("asked %s", r.URL)
		}
		if _, ok := r.Context().Deadline(); !ok {
			t.Error("the request has no time limit")
		}
		return nil, io.ErrClosedPipe
	})}}
	if _, err := m.Remaining(t.Context(), slo); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
