package operation

import (
	"fmt"
	"net/http"
)

// Replayed is what came of reading streams again.
type Replayed struct{ Entries, Rows int64 }

// Replay asks to read again what the dataset's streams still hold: Replayed.
func Replay(dataset string) Request {
	return Request{http.MethodPost, "/ops/replay/" + dataset, nil}
}

func (s *Server) replay(w http.ResponseWriter, r *http.Request) {
	d, ok := s.dataset(w, r)
	if !ok {
		return
	}
	by, release, err := s.Pipeline.Worker(r.Context())
	if err != nil {
		answer(w, nil, err)
		return
	}
	before := by.Counts(d.Contract)
	err = by.Replay(r.Context(), d.Contract)
	after := by.Counts(d.Contract)
	if ended := release(); err == nil {
		err = ended
	}
	if err != nil {
		err = fmt.Errorf("replay %s: %w", d.Name, err)
	}
	answer(w, Replayed{after.Entries - before.Entries, after.Rows - before.Rows}, err)
}
