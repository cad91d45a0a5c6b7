package main

import (
	"context"
	"fmt"
	"net/http"
)

type replayCmd struct {
	Dataset string `arg:"" help:"Name of the dataset."`
}

// Run is 'estela replay'.
func (c *replayCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	var done struct{ Entries, Rows int64 }
	if err := g.ask(ctx, s, "POST", "/ops/replay/"+c.Dataset, nil, &done); err != nil {
		return err
	}
	say(s.out, "%d entries read again, %d rows were missing and are stored now", done.Entries, done.Rows)
	return nil
}

// replayStream reads a dataset's streams again, with the worker of this process
// or one that lives as long as the request.
func (n *node) replayStream(w http.ResponseWriter, r *http.Request) {
	d, ok := n.dataset(w, r)
	if !ok {
		return
	}
	stop, err := n.withWorker(r.Context())
	if err != nil {
		refuse(w, err)
		return
	}
	before := n.worker.Counts(d.Contract)
	err = n.worker.Replay(r.Context(), d.Contract)
	after := n.worker.Counts(d.Contract)
	if end := stop(); err == nil {
		err = end
	}
	if err != nil {
		refuse(w, fmt.Errorf("replay %s: %w", d.Name, err))
		return
	}
	answer(w, map[string]int64{"Entries": after.Entries - before.Entries, "Rows": after.Rows - before.Rows})
}
