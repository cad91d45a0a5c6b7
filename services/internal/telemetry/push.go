package telemetry

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// PushEvery is how often metrics are sent, where they are.
const PushEvery = 30 * time.Second

// Push sends the metrics to where OpenTelemetry's variables say
// (OTEL_EXPORTER_OTLP_ENDPOINT and its kin), for places that nobody can scrape, with
// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES and an ID of this process. It is the
// same registry that Handler serves. Stop sends a last time.
func (m *Metrics) Push(ctx context.Context, client *http.Client, every time.Duration) (stop func(context.Context) error, err error) {
	exporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("make OTLP exporter: %w", err)
	}
	about, err := self(ctx)
	if err != nil {
		return nil, err
	}
	reader := metric.NewPeriodicReader(exporter, metric.WithInterval(every),
		metric.WithProducer(prometheus.NewMetricProducer(prometheus.WithGatherer(m.registry))))
	return metric.NewMeterProvider(metric.WithReader(reader), metric.WithResource(about)).Shutdown, nil
}

// instance is this process's ID.
var instance = rand.Text()

// self says who sends.
func self(ctx context.Context) (*resource.Resource, error) {
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "estela"), attribute.String("service.instance.id", instance)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return about, nil
}
