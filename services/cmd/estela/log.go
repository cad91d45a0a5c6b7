package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"golang.org/x/oauth2"

	"github.com/estela-dev/estela/services/internal/telemetry"
)

func (g *Globals) logger(s *streams) *slog.Logger {
	options := &slog.HandlerOptions{}
	var level slog.Level
	_ = level.UnmarshalText([]byte(g.LogLevel)) // kong has checked it
	options.Level = level
	switch g.LogFormat {
	case "cloud":
		options.ReplaceAttr = forCloud
		return slog.New(slog.NewJSONHandler(s.err, options))
	case "json":
		return slog.New(slog.NewJSONHandler(s.err, options))
	default:
		return slog.New(slog.NewTextHandler(s.err, options))
	}
}

// forCloud gives a record's own fields the names that Cloud Logging knows.
// https://cloud.google.com/logging/docs/structured-logging
func forCloud(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		a.Key = "severity"
		if a.Value.String() == slog.LevelWarn.String() {
			a.Value = slog.StringValue("WARNING")
		}
	}
	return a
}

// otlpVariables turn the sending of metrics on.
var otlpVariables = []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"}

// pushMetrics sends metrics until ctx ends, if OpenTelemetry's variables say where to.
// That they don't arrive is logged and stops nothing.
func (n *node) pushMetrics(ctx context.Context, f *opsFlags) error {
	if os.Getenv(otlpVariables[0]) == "" && os.Getenv(otlpVariables[1]) == "" {
		return nil
	}
	client := &http.Client{Timeout: 10 * time.Second}
	if f.OTLPAuth == "google" {
		tokens, err := googleTokens(ctx)
		if err != nil {
			return usageError{err}
		}
		client.Transport = &oauth2.Transport{Source: tokens}
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		n.log.Warn("metrics were not sent", slog.Any("error", err))
	}))
	stop, err := n.metrics.Push(ctx, client, telemetry.PushEvery)
	if err != nil {
		return usageError{err}
	}
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := stop(last); err != nil {
		n.log.Warn("the last metrics were not sent", slog.Any("error", err))
	}
	return nil
}
