package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"time"

	"go.opentelemetry.io/otel"
	"golang.org/x/oauth2"

	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/telemetry"
)

// otlpFlags are the credentials for sending metrics and traces; OpenTelemetry's own variables
// name the endpoint.
type otlpFlags struct {
	OTLPAuth string `name:"otlp-auth" help:"Credentials for sending metrics and traces (${enum}) to OTEL_EXPORTER_OTLP_ENDPOINT, if that is set: none, or this machine's Google account." enum:"none,google" default:"none"`
}

// The variables that enable the exporters: of both, of metrics, of traces.
const (
	otlpEndpoint        = "OTEL_EXPORTER_OTLP_ENDPOINT"
	otlpMetricsEndpoint = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
	otlpTracesEndpoint  = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
)

func anySet(variables ...string) bool {
	return slices.ContainsFunc(variables, func(name string) bool { return os.Getenv(name) != "" })
}

// client returns the exporters' HTTP client. Export errors are logged and stop nothing.
func (f *otlpFlags) client(ctx context.Context, log *slog.Logger) (*http.Client, error) {
	client := &http.Client{Timeout: 10 * time.Second}
	if f.OTLPAuth == "google" {
		tokens, err := googleTokens(ctx)
		if err != nil {
			return nil, fault.Usage(err)
		}
		client.Transport = &oauth2.Transport{Source: tokens}
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("send of metrics or traces failed", slog.Any("error", err))
	}))
	return client, nil
}

// tracing starts to export traces if OpenTelemetry's variables name an endpoint, else it returns
// nil. end flushes the last ones.
func (f *otlpFlags) tracing(ctx context.Context, log *slog.Logger, end *cleanup) (*telemetry.Tracing, error) {
	if !anySet(otlpEndpoint, otlpTracesEndpoint) {
		return nil, nil //nolint:nilnil // a nil Tracing sends nothing
	}
	client, err := f.client(ctx, log)
	if err != nil {
		return nil, err
	}
	t, err := telemetry.NewTracing(ctx, client)
	if err != nil {
		return nil, fault.Usage(err)
	}
	end.add(func() error {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := t.Stop(last); err != nil {
			log.Warn("send of the last traces failed", slog.Any("error", err))
		}
		client.CloseIdleConnections()
		return nil
	})
	return t, nil
}

// pushMetrics exports metrics until ctx ends, if OpenTelemetry's variables name an endpoint.
func (c *core) pushMetrics(ctx context.Context, f *otlpFlags) error {
	if !anySet(otlpEndpoint, otlpMetricsEndpoint) {
		return nil
	}
	client, err := f.client(ctx, c.log)
	if err != nil {
		return err
	}
	stop, err := c.metrics.Push(ctx, client, telemetry.PushInterval)
	if err != nil {
		return fault.Usage(err)
	}
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := stop(last); err != nil {
		c.log.Warn("send of the last metrics failed", slog.Any("error", err))
	}
	return nil
}

// readableEvery is the least time between two polls of positions by an API without a worker.
const readableEvery = 5 * time.Second

// notifying returns observe, extended by a non-blocking signal on requests.
func notifying(observe func(string, int, float64), requests chan<- struct{}) func(endpoint string, status int, seconds float64) {
	return func(endpoint string, status int, seconds float64) {
		observe(endpoint, status, seconds)
		select {
		case requests <- struct{}{}:
		default:
		}
	}
}

// watchCommits adds to the traces when commits become readable, in an API without a worker. It polls
// positions after requests only, so that an idle API costs MotherDuck nothing.
func (c *core) watchCommits(ctx context.Context, tracing *telemetry.Tracing, requests <-chan struct{}, every time.Duration) error {
	known := map[string]string{}
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			return nil
		case <-requests:
		}
		all, err := c.store.Positions(ctx)
		if err != nil {
			c.log.Debug("read of positions for traces failed", slog.Any("error", err))
		}
		for _, p := range all {
			shard := fmt.Sprint(p.Dataset, ":", p.Shard)
			if known[shard] != p.Trace && !first {
				tracing.Readable(ctx, p.Dataset, p.Trace, p.CommittedAt)
			}
			known[shard] = p.Trace
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}
