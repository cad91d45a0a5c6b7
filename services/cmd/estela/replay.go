package main

import (
	"context"

	"github.com/estela-dev/estela/services/internal/operation"
)

type replayCmd struct {
	Dataset string `arg:"" help:"Name of the dataset."`
}

// Run is 'estela replay'.
func (c *replayCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	var done operation.Replayed
	if err := g.ask(ctx, s, operation.Replay(c.Dataset), &done); err != nil {
		return err
	}
	say(s.out, "%d entries reread, %d missing rows stored", done.Entries, done.Rows)
	return nil
}
