package main

import (
	"log/slog"
	"os"
	"strings"

	"github.com/estela-dev/estela/services/internal/mask"
)

func (g *Globals) logger(s *streams) *slog.Logger {
	options := &slog.HandlerOptions{ReplaceAttr: withoutSecrets}
	var level slog.Level
	_ = level.UnmarshalText([]byte(g.LogLevel)) // kong has checked it
	options.Level = level
	switch g.LogFormat {
	case "cloud":
		cloud := forCloud(googleProject())
		options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr { return withoutSecrets(groups, cloud(groups, a)) }
		return slog.New(slog.NewJSONHandler(s.err, options))
	case "json":
		return slog.New(slog.NewJSONHandler(s.err, options))
	default:
		return slog.New(slog.NewTextHandler(s.err, options))
	}
}

// withoutSecrets masks passwords and tokens in strings and errors, also those of libraries.
func withoutSecrets(_ []string, a slog.Attr) slog.Attr {
	switch value := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(mask.Text(value))
	case error:
		a.Value = slog.StringValue(mask.Text(value.Error()))
	}
	return a
}

// forCloud renames a record's fields to those of Cloud Logging.
// https://cloud.google.com/logging/docs/structured-logging
func forCloud(project string) func(groups []string, a slog.Attr) slog.Attr {
	return func(groups []string, a slog.Attr) slog.Attr {
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
		case "trace":
			if project != "" {
				a.Key, a.Value = "logging.googleapis.com/trace", slog.StringValue("projects/"+project+"/traces/"+a.Value.String())
			}
		}
		return a
	}
}

// googleProject returns the project of the traces, from OpenTelemetry's resource attributes.
func googleProject() string {
	for attribute := range strings.SplitSeq(os.Getenv("OTEL_RESOURCE_ATTRIBUTES"), ",") {
		if project, ok := strings.CutPrefix(strings.TrimSpace(attribute), "gcp.project_id="); ok {
			return project
		}
	}
	return ""
}
