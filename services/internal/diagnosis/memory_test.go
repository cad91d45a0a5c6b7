package diagnosis_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/diagnosis"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

// A server whose memory is nearly used up, which makes producers wait, is named.
func TestFullServerIsNamed(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client, err := stream.Open(t.Context(), stream.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	find := func() *diagnosis.Finding {
		info, err := client.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := diagnosis.Server(t.Context(), client, info)
		i := slices.IndexFunc(found, func(f diagnosis.Finding) bool { return f.Name == "redis memory" })
		if i < 0 {
			return nil
		}
		return &found[i]
	}
	if f := find(); f != nil {
		t.Errorf("without a limit: %+v", f)
	}
	server.Do("CONFIG", "SET", "maxmemory", "1gb")
	if f := find(); f == nil || f.Warning || !strings.HasSuffix(f.Found, " MiB of 1024 MiB (maxmemory)") {
		t.Errorf("with room: %+v", f)
	}
	server.Do("CONFIG", "SET", "maxmemory", "1")
	if f := find(); f == nil || !f.Warning || !strings.Contains(f.Fix, "maxmemory") {
		t.Errorf("full: %+v", f)
	}
}
