package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestLogFormats(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=estela, gcp.project_id=p-1")
	written := func(format string) string {
		var out bytes.Buffer
		g := &Globals{LogLevel: "info", LogFormat: format}
		log := g.logger(&streams{err: &out})
		log.Warn("a shard is held elsewhere", slog.Int("shard", 3), slog.String("trace", "0af7"), slog.Group("at", slog.String("level", "x")))
		log.Debug("not this")
		return out.String()
	}
	if text := written("text"); !strings.Contains(text, `level=WARN msg="a shard is held elsewhere" shard=3`) {
		t.Errorf("text: %s", text)
	}
	for format, want := range map[string]map[string]any{
		"json":  {"level": "WARN", "msg": "a shard is held elsewhere", "shard": 3.0, "trace": "0af7"},
		"cloud": {"severity": "WARNING", "message": "a shard is held elsewhere", "shard": 3.0, "logging.googleapis.com/trace": "projects/p-1/traces/0af7"},
	} {
		var got map[string]any
		if err := json.Unmarshal([]byte(written(format)), &got); err != nil {
			t.Fatal(err)
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s: %s is %v", format, key, got[key])
			}
		}
		if group, ok := got["at"].(map[string]any); !ok || group["level"] != "x" || got["time"] == nil {
			t.Errorf("%s: %v", format, got)
		}
	}
}
