package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/intake"
	"github.com/estela-dev/estela/services/internal/stream"
)

type publishCmd struct {
	Rate       int           `help:"Most events a second; 0 is no limit." default:"0"`
	Batch      int           `help:"Events packed into one stream entry." default:"1"`
	Wait       int           `help:"Replicas that must acknowledge each flush." default:"0"`
	WaitStored bool          `help:"Return when the warehouse has stored all published events, not when Redis has them."`
	Skip       int64         `help:"Events to skip: as many as an interrupted run has sent." default:"0"`
	Patience   time.Duration `help:"How long to retry while Redis is unavailable; 0 is for ever." default:"5m"`

	fileFlags
	errorFlags
	otlpFlags
}

// Run is 'estela publish'.
func (c *publishCmd) Run(ctx context.Context, g *Globals, s *streams) (err error) {
	var end cleanup
	defer func() { err = errors.Join(err, end.run()) }()
	d, err := g.pick(c.Dataset)
	if err != nil {
		return err
	}
	if field := d.Stream.EventField(); field != "" && c.Batch > 1 {
		return fault.Usagef("--batch %d: the stream %q has one event an entry, in its field %q; leave --batch out", c.Batch, d.Stream.Key, field)
	}
	url, err := g.redisURL(ctx)
	if err != nil {
		return err
	}
	if g.Redis == "" { // else another process' worker may be meant
		if err := g.awaitStarted(ctx); err != nil {
			return err
		}
	}
	log := g.logger(s)
	tracing, err := c.tracing(ctx, log, &end)
	if err != nil {
		return err
	}
	client, err := g.openRedis(ctx, url, log)
	if err != nil {
		return err
	}
	end.add(client.Close)
	if err := checkPublishable(ctx, client, d); err != nil {
		return err
	}
	lacking, err := unknownColumns(ctx, client, d)
	if err != nil {
		return err
	}
	check := intake.NewChecker(d, intake.NewProgress(s.err, "publish "+d.Name, -1), s.err)
	check.Skip = c.Skip
	if check.Invalid, err = intake.OpenInvalidRows(c.Errors, c.info(s)); err != nil {
		return err
	}
	p := intake.NewPublisher(ctx, client, check, intake.Config{Rate: c.Rate, UnknownColumns: lacking, ProducerConfig: stream.ProducerConfig{
		Batch: c.Batch, Wait: c.Wait, Patience: c.Patience, Trace: tracing.Publishing(ctx, d.Name),
	}})
	return c.publish(ctx, s, check, p)
}

// publish sends the file's rows and reports the result.
func (c *publishCmd) publish(ctx context.Context, s *streams, check *intake.Checker, p *intake.Publisher) error {
	read := c.each(ctx, c.input(ctx, s), check.Dataset, c.rows(p.Send))
	unsent := p.Close(ctx)
	err := errors.Join(read, unsent)
	unwritten := check.Finish("acknowledged by Redis")
	if err != nil {
		return errors.Join(resumeError(ctx, err, unsent == nil, p.Sent(), c.Skip), unwritten)
	}
	if c.WaitStored && p.Sent() > 0 {
		err = p.AwaitStored(ctx)
	}
	return errors.Join(err, unwritten, check.Complete(c.displayName(), "sent"))
}

// resumeError adds to err how to resume. inFile: the error is one of the file, which a retry would
// meet again.
func resumeError(ctx context.Context, err error, inFile bool, sent, skipped int64) error {
	first := ""
	switch {
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	case inFile:
		first = "correct that, and "
	}
	if errors.Is(err, stream.ErrReplicas) {
		return fmt.Errorf("%w; Redis itself has them, and they are stored from there", err)
	}
	if sent == 0 {
		return fmt.Errorf("%w; nothing was sent", err)
	}
	return fmt.Errorf("%w; %d events are in Redis: %srun the command again with --skip %d to resume", err, sent, first, skipped+sent)
}
