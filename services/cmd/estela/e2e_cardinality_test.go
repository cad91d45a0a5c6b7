package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// series are the names with labels of Estela's own metrics.
func (s *system) series() map[string]bool {
	s.t.Helper()
	body, err := get("http://" + s.ops + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]bool{}
	for line := range strings.Lines(body) {
		if name, _, ok := strings.Cut(line, " "); ok && strings.HasPrefix(name, "estela_") {
			all[name] = true
		}
	}
	return all
}

// attack sends what makes series in a careless system: paths, methods, parameters, headers,
// keys, traces and fields that nobody has seen before, by HTTP and in the stream.
func (s *system) attack(random *rand.Rand) {
	s.t.Helper()
	for range 150 {
		word := fmt.Sprintf("x%016x", random.Uint64())
		for _, path := range []string{
			"/" + word, "/v1/" + word, "/v1/readings/" + word, "/v1/" + word + "/warmest", "/v1/readings/warmest/" + word,
			"/v1/readings/warmest?" + word + "=1", "/v1/readings/warmest?cursor=" + word, "/v1/readings/warmest?format=" + word,
			"/docs/" + word, "/%2e%2e/" + word, "//" + word,
		} {
			request, err := http.NewRequestWithContext(s.t.Context(), []string{"GET", "HEAD", strings.ToUpper(word)}[random.IntN(3)], "http://"+s.api+path, nil)
			if err != nil {
				s.t.Fatal(err)
			}
			request.Header.Set("Traceparent", "00-"+word+word[:16]+"-"+word[:16]+"-01")
			request.Header.Set("User-Agent", word)
			request.Header.Set("Authorization", "Bearer "+word)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				s.t.Fatal(err)
			}
			_ = response.Body.Close()
		}
		s.redis("XADD", "estela:{readings:0}", "*", "event", `{"id":"`+word+`","measured_at":"2026-01-01T00:00:00Z","celsius":1}`,
			"traceparent", "00-"+word+word[:15]+"-"+word[1:]+"-01")
		s.redis("XADD", "estela:{readings:0}", "*", word, word)
		s.redis("XADD", "estela:{readings:0}", "*", "event", `{"`+word+`":"`+word+`"}`)
		s.redis("XADD", "estela:{"+word+":0}", "*", "event", "{}")
	}
}

// TestE2ECardinality attacks twice, each time with new names: the second attack makes no
// series that the first has not made, and none of both bears a name of theirs.
func TestE2ECardinality(t *testing.T) {
	t.Parallel()
	s := up(t, t.TempDir(), "--data", ownDataset(t), "--access-log", "none")
	calm := s.series()
	random := rand.New(rand.NewPCG(1, 2))
	s.attack(random)
	s.awaitEvents("readings", "rejected", 300)
	once := s.series()
	s.attack(random)
	s.awaitEvents("readings", "rejected", 600)
	for name := range s.series() {
		if !once[name] {
			t.Errorf("a second attack makes a series: %s", name)
		}
		if strings.Contains(name, `="x`) {
			t.Errorf("a name of the attack is in a series: %s", name)
		}
	}
	// A histogram of 17 lines for each status of the endpoint, of other paths and of the index.
	if most := len(calm) + 3*10*17; len(once) > most {
		t.Errorf("%d series before and %d after an attack, want %d at most", len(calm), len(once), most)
	}
	t.Logf("%d series before, %d after", len(calm), len(once))
}
