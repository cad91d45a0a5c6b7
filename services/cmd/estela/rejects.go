package main

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/operation"
)

type rejectsCmd struct {
	List   rejectsListCmd   `cmd:"" help:"List rejects, in the order of the streams."`
	Show   rejectsShowCmd   `cmd:"" help:"Show one reject: its bytes, its origin and every violation."`
	Replay rejectsReplayCmd `cmd:"" help:"Decode the rejects of a dataset again; those that are valid now are stored."`
	Purge  rejectsPurgeCmd  `cmd:"" help:"Delete rejects for good."`
}

type rejectsListCmd struct {
	Dataset string `arg:"" optional:"" help:"Name of the dataset. Default: all."`
	Limit   int    `help:"Most rejects to list." default:"50"`

	jsonFlag
}

type rejectsShowCmd struct {
	Dataset string `arg:"" help:"Name of the dataset."`
	ID      string `arg:"" help:"The reject's id, as listed."`
	Raw     bool   `help:"Write the bytes only, as they were sent."`

	jsonFlag
}

type rejectsReplayCmd struct {
	Dataset string `arg:"" help:"Name of the dataset."`
}

type rejectsPurgeCmd struct {
	Dataset   string        `arg:"" help:"Name of the dataset."`
	OlderThan time.Duration `help:"Only those rejected longer ago, for example 720h." default:"0"`
	Yes       bool          `help:"Don't ask."`
}

// Run is 'estela rejects list'.
func (c *rejectsListCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	var found []operation.Reject
	if err := g.ask(ctx, s, operation.ListRejects(c.Dataset, c.Limit), &found); err != nil {
		return err
	}
	for i := range found {
		r := &found[i]
		more := ""
		if n := len(r.Violations); n > 1 {
			more = fmt.Sprintf(" (and %d more)", n-1)
		}
		c.say(s.out, r, "%s  %s  %s  %s%s", r.Dataset, r.ID, r.RejectedAt.Format(time.RFC3339), r.Violations[0], more)
	}
	if len(found) == 0 {
		say(s.err, "no rejects")
	}
	return nil
}

// Run is 'estela rejects show'.
func (c *rejectsShowCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	var r operation.Reject
	if err := g.ask(ctx, s, operation.ShowReject(c.Dataset, c.ID), &r); err != nil {
		return err
	}
	if c.Raw {
		_, err := s.out.Write(r.Payload)
		return err
	}
	if c.JSON {
		c.say(s.out, r, "")
		return nil
	}
	say(s.out, "dataset         %s\nid              %s (shard, stream ID, line)\nrejected        %s\nschema version  %s",
		r.Dataset, r.ID, r.RejectedAt.Format(time.RFC3339), r.Schema)
	for _, v := range r.Violations {
		say(s.out, "violation       %s", v)
	}
	text := string(r.Payload)
	if !utf8.Valid(r.Payload) {
		text = fmt.Sprintf("%q", r.Payload)
	}
	say(s.out, "\n%s", text)
	return nil
}

// Run is 'estela rejects replay'.
func (c *rejectsReplayCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	var done operation.ReplayedRejects
	if err := g.ask(ctx, s, operation.ReplayRejects(c.Dataset), &done); err != nil {
		return err
	}
	say(s.out, "%d stored, %d duplicates dropped, %d still break the contract", done.Stored, done.Duplicates, done.Rejected)
	return nil
}

// Run is 'estela rejects purge'.
func (c *rejectsPurgeCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	if !c.Yes {
		return fault.Usagef("purge deletes events for good: confirm with --yes")
	}
	var done operation.Purged
	if err := g.ask(ctx, s, operation.PurgeRejects(c.Dataset, c.OlderThan), &done); err != nil {
		return err
	}
	say(s.out, "%d purged", done.Purged)
	return nil
}
