package operation

import (
	"fmt"
	"net/http"

	"github.com/estela-dev/estela/services/internal/dataset"
)

// Replayed is what came of reading streams again.
type Replayed struct{ Entries, Rows int64 }

// Replay asks to read again what the dataset's streams still hold: Replayed.
func Replay(dataset string) Request {
	return Request{http.MethodPost, "/ops/replay/" + dataset, nil}
}

func (s *Server) replay(r *http.Request, d *dataset.Dataset) (any, error) {
	by, release, err := s.Pipeline.Worker(r.Context())
	if err != nil {
		return nil, err
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
	return Replayed{after.Entries - before.Entries, after.Rows - before.Rows}, err
}
