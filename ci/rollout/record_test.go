package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/estela-dev/estela/ci/rollout"
)

// recording is a deployment that notes what it records.
func recording(image string, recorded *[]bool) func(context.Context, rollout.Deployment) (rollout.Report, error) {
	return func(ctx context.Context, d rollout.Deployment) (rollout.Report, error) {
		d.Record = func(ctx context.Context, ok bool, _ rollout.Outputs) error {
			*recorded = append(*recorded, ok)
			return ctx.Err()
		}
		return d.Deploy(ctx, image)
	}
}

// Whatever breaks, a deployment that got past its first read and lived to its end is recorded once, and
// as what it was.
func TestEveryEndIsRecordedOnce(t *testing.T) {
	t.Parallel()
	for _, before := range []rollout.Config{{}, {Image: imageB, Previous: imageA}, {Image: imageC, Previous: imageB}} {
		for f, name := range faults {
			for n := range 9 {
				c := newCloud(t, before)
				c.faults = map[int]fault{n: f} // none with 0
				var recorded []bool
				_, err := c.run(recording(imageC, &recorded))
				if refused := n == 1; refused || c.crashed {
					if len(recorded) > 0 {
						t.Errorf("%s %d from %+v: recorded %v", name, n, before, recorded)
					}
				} else if len(recorded) != 1 || recorded[0] != (err == nil) {
					t.Errorf("%s %d from %+v: recorded %v, %v", name, n, before, recorded, err)
				}
			}
		}
	}
}

func TestAWayBackIsNoSuccess(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*cloud){
		"candidate": func(c *cloud) { c.bad[imageC] = true },
		"budget":    func(c *cloud) { c.burnt = true },
		"way back":  func(c *cloud) { c.burnt, c.faults = true, map[int]fault{7: failBefore} },
	} {
		c := newCloud(t, rollout.Config{Image: imageB, Previous: imageA})
		set(c)
		var recorded []bool
		if _, err := c.run(recording(imageC, &recorded)); err == nil || len(recorded) != 1 || recorded[0] {
			t.Errorf("%s: recorded %v, %v", name, recorded, err)
		}
	}
}

// Nothing was changed, or it was a rollback.
func TestWhatIsNotRecorded(t *testing.T) {
	t.Parallel()
	var recorded []bool
	record := func(context.Context, bool, rollout.Outputs) error { recorded = append(recorded, true); return nil }
	c := newCloud(t, rollout.Config{Image: imageB, Previous: imageA})
	_, err := c.run(recording("estela:latest", &recorded))
	wantError(t, err, "nothing was changed")
	c.allow(imageA)
	_, err = c.run(func(ctx context.Context, d rollout.Deployment) (rollout.Report, error) {
		d.Record = record
		return d.Rollback(ctx, "")
	})
	if err != nil || len(recorded) > 0 {
		t.Errorf("recorded %v, %v", recorded, err)
	}
}

// A deployment is what it is, recorded or not; that it wasn't is said where people look.
func TestAFailedRecordIsToldAndChangesNothing(t *testing.T) {
	t.Parallel()
	for _, bad := range []bool{false, true} {
		c := newCloud(t, rollout.Config{Image: imageB, Previous: imageA})
		c.bad[imageC] = bad
		var log strings.Builder
		report, err := c.run(func(ctx context.Context, d rollout.Deployment) (rollout.Report, error) {
			d.Log = func(step, text string) { fmt.Fprintf(&log, "%s: %s\n", step, text) }
			d.Record = func(context.Context, bool, rollout.Outputs) error { return errFault }
			return d.Deploy(ctx, imageC)
		})
		if (err != nil) != bad || errors.Is(err, errFault) {
			t.Errorf("bad %t: %v", bad, err)
		}
		for _, text := range []string{log.String(), report.String()} {
			if !strings.Contains(text, "record: fault; this deployment is missing in the objective") {
				t.Errorf("it says:\n%s", text)
			}
		}
		if !strings.HasSuffix(outcomes(report), "record: failed") {
			t.Error(outcomes(report))
		}
	}
}

// The caller's end is not that of the record, which knows whose deployment it was and has a limit.
func TestTheRecordOutlivesTheCallersContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := newCloud(t, rollout.Config{Image: imageB})
	c.run(func(context.Context, rollout.Deployment) (rollout.Report, error) { return rollout.Report{}, nil })
	asked := 0
	_, err := rollout.Deployment{
		Stack: c,
		Smoke: func(ctx context.Context, _ string) error { cancel(); return ctx.Err() },
		Record: func(ctx context.Context, ok bool, o rollout.Outputs) error {
			asked++
			end, limited := ctx.Deadline()
			if ctx.Err() != nil || !limited || time.Until(end) > time.Minute || ok || len(o.Resources) != 1 || o.Image != imageB {
				t.Errorf("%v, until %v, %t, %+v", ctx.Err(), end, ok, o)
			}
			return nil
		},
	}.Deploy(ctx, imageC)
	if !errors.Is(err, context.Canceled) || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}

// whose is what a stack of two systems exports.
var whose = rollout.Outputs{Resources: []string{
	"service.namespace=lima,cloud.region=southamerica-west1,gcp.project_id=estela-1",
	"service.namespace=quito,cloud.region=southamerica-west1,gcp.project_id=estela-1",
}}

func telemetry(t *testing.T, handler http.HandlerFunc) rollout.Telemetry {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return rollout.Telemetry{Client: server.Client(), BaseURL: server.URL, Token: giveToken}
}

func TestRecordSendsWhatOTLPWants(t *testing.T) {
	t.Parallel()
	for ok, want := range map[bool]float64{true: 1, false: 0} {
		requests := 0
		to := telemetry(t, func(_ http.ResponseWriter, r *http.Request) {
			requests++
			if r.Method != http.MethodPost || r.URL.Path != "/v1/metrics" || r.Header.Get("Content-Type") != "application/x-protobuf" ||
				r.Header.Get("Authorization") != "Bearer "+token {
				t.Errorf("got %s %s %v", r.Method, r.URL, r.Header)
			}
			body, err := io.ReadAll(r.Body)
			var request collector.ExportMetricsServiceRequest
			if err := errors.Join(err, proto.Unmarshal(body, &request)); err != nil {
				t.Error(err)
			}
			wantPoints(t, &request, want)
		})
		if err := to.Record(t.Context(), ok, whose); err != nil || requests != 1 {
			t.Errorf("%d requests, %v", requests, err)
		}
	}
}

// wantPoints wants a point for each system. Google refuses one without a location or an instance.
func wantPoints(t *testing.T, request *collector.ExportMetricsServiceRequest, want float64) {
	t.Helper()
	var systems []string
	for _, r := range request.GetResourceMetrics() {
		got := map[string]string{}
		for _, a := range r.GetResource().GetAttributes() {
			got[a.GetKey()] = a.GetValue().GetStringValue()
		}
		systems = append(systems, got["service.namespace"])
		if got["service.name"] != "estela-deploy" || got["service.instance.id"] == "" || got["cloud.region"] == "" || got["gcp.project_id"] != "estela-1" {
			t.Errorf("attributes %v", got)
		}
		metric := r.GetScopeMetrics()[0].GetMetrics()[0]
		points := metric.GetGauge().GetDataPoints()
		if metric.GetName() != "estela_deployment_success" || metric.GetUnit() != "" || len(points) != 1 || points[0].GetAsDouble() != want {
			t.Errorf("metric %v, want a gauge of %v", metric, want)
		}
		if at := time.Unix(0, int64(points[0].GetTimeUnixNano())); time.Since(at).Abs() > time.Minute {
			t.Errorf("of %s", at)
		}
	}
	if strings.Join(systems, " ") != "lima quito" {
		t.Errorf("systems %q", systems)
	}
}

func TestRecordShowsWhatWentWrong(t *testing.T) {
	t.Parallel()
	answered := func(status int, body []byte) rollout.Telemetry {
		return telemetry(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			w.Write(body)
		})
	}
	partial, err := proto.Marshal(&collector.ExportMetricsServiceResponse{PartialSuccess: &collector.ExportMetricsPartialSuccess{
		RejectedDataPoints: 2, ErrorMessage: "no location",
	}})
	if err != nil {
		t.Fatal(err)
	}
	silent := telemetry(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	plain, nobody := silent, silent
	plain.BaseURL, nobody.Token = "http://telemetry.googleapis.com", nil
	for want, c := range map[string]struct {
		to rollout.Telemetry
		of rollout.Outputs
	}{
		"2 points were refused: no location":                {answered(http.StatusOK, partial), whose},
		"read Cloud Telemetry's answer":                     {answered(http.StatusOK, []byte("<html>")), whose},
		"403 Forbidden: no; the token's account needs role": {answered(http.StatusForbidden, []byte("no")), whose},
		"202 Accepted":                                 {answered(http.StatusAccepted, nil), whose},
		"a token must not travel in the clear":         {plain, whose},
		"there is no access token":                     {nobody, whose},
		"the stack's output resources is missing":      {silent, rollout.Outputs{}},
		`"service.namespace" is not such as key=value`: {silent, rollout.Outputs{Resources: []string{"service.namespace"}}},
		`"" is not such as key=value`:                  {silent, rollout.Outputs{Resources: []string{""}}},
	} {
		wantError(t, c.to.Record(t.Context(), true, c.of), want)
	}
}

// Whoever repeats the token, it is in no error, and no redirect takes it along.
func TestTheTokenIsInNoErrorOfARecord(t *testing.T) {
	t.Parallel()
	partial := telemetry(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := proto.Marshal(&collector.ExportMetricsServiceResponse{PartialSuccess: &collector.ExportMetricsPartialSuccess{
			RejectedDataPoints: 1, ErrorMessage: r.Header.Get("Authorization"),
		}})
		w.Write(text)
	})
	cut := telemetry(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, strings.Repeat("x", 2<<10-20)+r.Header.Get("Authorization"))
	})
	redirect := telemetry(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/elsewhere?token="+token, http.StatusTemporaryRedirect)
	})
	broken := rollout.Telemetry{Token: giveToken, Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if r.URL.Scheme != "https" || r.URL.Host != "telemetry.googleapis.com" {
			t.Errorf("asked %s", r.URL)
		}
		if _, ok := r.Context().Deadline(); !ok {
			t.Error("the request has no time limit")
		}
		return nil, fmt.Errorf("dump %v", r.Header)
	})}}
	giver := rollout.Telemetry{Token: func(context.Context) (string, error) { return token, errors.New("expired: " + token) }}
	for name, to := range map[string]rollout.Telemetry{"partial": partial, "cut": cut, "redirect": redirect, "broken": broken, "giver": giver} {
		err := to.Record(t.Context(), true, whose)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		for ; err != nil; err = errors.Unwrap(err) {
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, token[:8]) {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
}
