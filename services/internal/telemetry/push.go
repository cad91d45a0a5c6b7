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

// PushInterval is how often metrics are pushed.
const PushInterval = 30 * time.Second

// Push exports the metrics that Handler serves by OTLP, for processes that nothing can scrape.
// OpenTelemetry's variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME,
// OTEL_RESOURCE_ATTRIBUTES, …) configure it; the resource has an ID of this process. stop
// exports a last time.
func (m *Metrics) Push(ctx context.Context, client *http.Client, every time.Duration) (stop func(context.Context) error, err error) {
	exporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("make OTLP exporter: %w", err)
	}
	res, err := processResource(ctx)
	if err != nil {
		return nil, err
	}
	reader := metric.NewPeriodicReader(exporter, metric.WithInterval(every),
		metric.WithProducer(prometheus.NewMetricProducer(prometheus.WithGatherer(m.registry))))
	return metric.NewMeterProvider(metric.WithReader(reader), metric.WithResource(res)).Shutdown, nil
}

// instanceID is this process's service.instance.id.
var instanceID = rand.Text()

// processResource returns the resource that describes this process.
func processResource(ctx context.Context) (*resource.Resource, error) {
	res, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "estela"), attribute.String("service.instance.id", instanceID)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return res, nil
}
