package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/estela-dev/estela/services/internal/operation"
)

type locateCmd struct {
	ID      string `arg:"" help:"The event's key, or the ID of its stream entry such as 1526919030474-55."`
	Dataset string `help:"Search this dataset only."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Run is 'estela locate'.
func (c *locateCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	var f operation.Located
	if err := g.ask(ctx, s, operation.Locate(c.Dataset, c.ID), &f); err != nil {
		return err
	}
	if c.JSON {
		text, err := json.MarshalIndent(f, "", "  ")
		if err != nil {
			return fmt.Errorf("encode answer: %w", err)
		}
		say(s.out, "%s", text)
	}
	if len(f.Events) == 0 {
		say(s.err, "%q was not found. Searched: %s.\nIt was never published, or was a duplicate whose entry is trimmed, or is past its retention.", c.ID, f.Searched)
		return errReported
	}
	if !c.JSON {
		for _, e := range f.Events {
			printEvent(s.out, e)
		}
	}
	return nil
}

// printEvent prints where an event is.
func printEvent(to io.Writer, e operation.Event) {
	origin := e.ID
	if origin == "" {
		origin = "from no stream"
	} else if e.Line > 0 {
		origin += fmt.Sprintf(" line %d", e.Line)
	}
	if e.State == operation.Unread {
		say(to, "%s  %s  key %q", e.Stream, origin, e.Key)
		say(to, "  astray     no worker reads this stream, which is none of %s: 'estela doctor' shows how to publish its entries", e.Dataset)
	} else {
		say(to, "%s shard %d  %s  key %q", e.Dataset, e.Shard, origin, e.Key)
	}
	if e.PublishedAt != nil {
		still := "its entry is trimmed"
		if e.InStream {
			still = "its entry is in the stream still"
		}
		say(to, "  published  %s  %s", e.PublishedAt.Format(time.RFC3339Nano), still)
	}
	switch {
	case e.State == operation.Unread:
	case e.State == operation.Waiting:
		say(to, "  waiting    the shard is stored up to %s", e.Position)
	case e.State == operation.Uncommitted:
		say(to, "  unsettled  below the shard's position %s and in no table: 'estela replay %s' reads it again", e.Position, e.Dataset)
	case e.State == operation.Duplicate && e.DuplicateOf != "":
		say(to, "  duplicate  dropped: %s was stored under the same key", e.DuplicateOf)
	case e.State == operation.Duplicate:
		say(to, "  duplicate  dropped")
	case e.CommittedAt == nil:
		say(to, "  rejected   and purged since")
	case e.PublishedAt != nil:
		say(to, "  %-9s  %s  %s later", e.State, e.CommittedAt.Format(time.RFC3339Nano), e.CommittedAt.Sub(*e.PublishedAt).Round(time.Millisecond))
	default:
		say(to, "  %-9s  %s", e.State, e.CommittedAt.Format(time.RFC3339Nano))
	}
	for _, v := range e.Violations {
		say(to, "  violation  %s", v)
	}
}
