package rollout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"
)

const (
	telemetryURL = "https://telemetry.googleapis.com"
	// success is what the objective of deployments in infra/observability/slo.yaml is made of.
	success = "estela_deployment_success"
	// recorder is who sends it. It is the ID of the instance too, which a point must have: one of its
	// own for each deployment would make a time series for each.
	recorder = "estela-deploy"
)

// Telemetry sends how deployments end by OTLP over HTTP, to where the services of the system send their
// metrics. https://opentelemetry.io/docs/specs/otlp/#otlphttp
type Telemetry struct {
	// Client sends the requests.
	//
	// nil: the default one.
	Client *http.Client
	// BaseURL is https, or http on loopback, where no one reads the token on its way.
	//
	// Empty: https://telemetry.googleapis.com.
	BaseURL string
	// Token gives an access token that may write metrics. It is in no error.
	Token func(ctx context.Context) (string, error)
}

// Record sends one point for each system of the stack: 1 for a deployment that went through, 0 for one
// that did not. It is a gauge without a process that goes on sending it, so it is counted, never looked
// up. It is not tried again: a point that is lost makes the objective a little wrong, and is told of.
func (t Telemetry) Record(ctx context.Context, ok bool, o Outputs) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	token, err := access(ctx, t.Token)
	if err != nil {
		return err
	}
	body, err := points(ok, o.Resources, time.Now())
	if err != nil {
		return err
	}
	return hide(t.send(ctx, token, body), token)
}

func (t Telemetry) send(ctx context.Context, token string, body []byte) error {
	u, err := trusted(t.BaseURL, telemetryURL)
	if err != nil {
		return fmt.Errorf("read Cloud Telemetry's address: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath("v1", "metrics").String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/x-protobuf")
	response, err := staying(t.Client).Do(request)
	if err != nil {
		return fmt.Errorf("reach Cloud Telemetry: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("send to Cloud Telemetry: %w; the token's account needs roles/telemetry.metricsWriter", refusal(response, token))
	}
	return taken(response.Body)
}

// taken reads the answer, which is no error where only some points were refused.
func taken(body io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(body, bytesLimit))
	if err != nil {
		return fmt.Errorf("read Cloud Telemetry's answer: %w", err)
	}
	var answer collector.ExportMetricsServiceResponse
	if err := proto.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("read Cloud Telemetry's answer: %w", err)
	}
	if n := answer.GetPartialSuccess().GetRejectedDataPoints(); n > 0 {
		return fmt.Errorf("send to Cloud Telemetry: %d points were refused: %s", n, answer.GetPartialSuccess().GetErrorMessage())
	}
	return nil
}

// points is the body of a request, a point for each resource.
func points(ok bool, resources []string, now time.Time) ([]byte, error) {
	if len(resources) == 0 {
		return nil, errors.New("the stack's output resources is missing; let it export the OTEL_RESOURCE_ATTRIBUTES of each system")
	}
	value := 0.0
	if ok {
		value = 1
	}
	request := &collector.ExportMetricsServiceRequest{}
	for _, text := range resources {
		attributes, err := attributes(text)
		if err != nil {
			return nil, err
		}
		request.ResourceMetrics = append(request.ResourceMetrics, &metrics.ResourceMetrics{
			Resource: &resource.Resource{Attributes: attributes},
			ScopeMetrics: []*metrics.ScopeMetrics{{Metrics: []*metrics.Metric{{
				// Without a unit, which some would append to the name.
				Name: success, Description: "How a deployment ended: 1 it went through, 0 it did not.",
				Data: &metrics.Metric_Gauge{Gauge: &metrics.Gauge{DataPoints: []*metrics.NumberDataPoint{{
					TimeUnixNano: uint64(now.UnixNano()), Value: &metrics.NumberDataPoint_AsDouble{AsDouble: value},
				}}}},
			}}}},
		})
	}
	body, err := proto.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	return body, nil
}

// attributes are those of a text such as "key=value,key=value", and who sends.
func attributes(text string) ([]*common.KeyValue, error) {
	all := "service.name=" + recorder + ",service.instance.id=" + recorder + "," + text
	var found []*common.KeyValue
	for pair := range strings.SplitSeq(all, ",") {
		key, value, _ := strings.Cut(pair, "=")
		if key == "" || value == "" {
			return nil, fmt.Errorf("read the stack's output resources: %q is not such as key=value,key=value", text)
		}
		found = append(found, &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}})
	}
	return found, nil
}
