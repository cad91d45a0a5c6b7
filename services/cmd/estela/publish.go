package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

type publishCmd struct {
	fileFlags
	errorFlags
	otlpFlags

	Rate       int           `help:"Events a second at most; 0 is as fast as it goes." default:"0"`
	Batch      int           `help:"Events packed into one stream entry." default:"1"`
	Wait       int           `help:"Replicas that must have each flush before it counts as sent." default:"0"`
	WaitStored bool          `help:"Return when the warehouse has stored all that was published, and not when Redis has it."`
	Skip       int64         `help:"Events to pass over at first: as many as an interrupted run has sent." default:"0"`
	Patience   time.Duration `help:"How long to go on while Redis is away or refuses; 0 is for ever." default:"5m"`
}

// Run is 'estela publish'.
func (c *publishCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	d, err := g.pick(c.Dataset)
	if err != nil {
		return err
	}
	url, err := g.redisURL(ctx)
	if err != nil {
		return err
	}
	log := g.logger(s)
	tracing, stop, err := c.tracing(ctx, log)
	if err != nil {
		return err
	}
	defer stop()
	client, err := g.openRedis(ctx, url, log)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if err := d.mayPublish(ctx, client); err != nil {
		return err
	}
	unstored, err := d.unstored(ctx, client)
	if err != nil {
		return err
	}
	refused, err := c.refusals(c.info(s))
	if err != nil {
		return err
	}
	p := newPublisher(ctx, client, d, c.Rate, newProgress(s.err, "publish "+d.Name, -1), s.err, stream.ProducerConfig{
		Batch: c.Batch, Wait: c.Wait, Patience: c.Patience, Trace: tracing.Publishing(ctx, d.Name),
	})
	p.skip, p.refused, p.unstored = c.Skip, refused, unstored
	return c.publish(ctx, s, client, p)
}

// publish sends the file's rows and says what came of it.
func (c *publishCmd) publish(ctx context.Context, s *streams, client *stream.Client, p *publisher) error {
	read := c.each(ctx, c.input(ctx, s), p.dataset, c.rows(p.send))
	unsent := p.close(ctx)
	err := errors.Join(read, unsent)
	p.progress.finish("acknowledged by Redis")
	told := p.refused.close(s.err)
	if err != nil {
		return errors.Join(p.resumable(ctx, err, unsent == nil, c.Skip), told)
	}
	if c.WaitStored && p.sent() > 0 {
		err = p.awaitStored(ctx, client)
	}
	return errors.Join(err, told, p.complete(&c.fileFlags, "sent"))
}

// resumable says how to go on after an error: one of the file would come again.
func (p *publisher) resumable(ctx context.Context, err error, ofFile bool, skipped int64) error {
	mend := ""
	switch {
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	case ofFile:
		mend = "mend that, and "
	}
	sent := p.sent()
	if errors.Is(err, stream.ErrReplicas) {
		return fmt.Errorf("%w; Redis itself has them, and they are stored from there", err)
	}
	if sent == 0 {
		return fmt.Errorf("%w; nothing was sent", err)
	}
	return fmt.Errorf("%w; %d events are in Redis: %sthe same again with --skip %d goes on there", err, sent, mend, skipped+sent)
}

// complete is an error if the file had no row, or rows that are no events.
func (p *publisher) complete(f *fileFlags, done string) error {
	switch {
	case p.seen == 0:
		return fmt.Errorf("%s has no row: nothing was %s", f.named(), done)
	case p.skip > 0:
		return fmt.Errorf("%s has %d events fewer than --skip passes over: nothing was %s", f.named(), p.skip, done)
	case p.refused.rows > 0:
		return fmt.Errorf("%d of %d rows are no events of %s and were not %s", p.refused.rows, p.seen, p.dataset.Name, done)
	}
	return nil
}

// publisher checks rows against the contract and sends those that hold.
type publisher struct {
	ctx      context.Context //nolint:containedctx // the command's, for the calls back from reading rows
	dataset  *dataset
	decoder  *contract.Decoder
	batch    *contract.Batch
	producer *stream.Producer
	pace     pace
	skip     int64 // events that an earlier run has sent
	seen     int64 // rows
	refused  *refusals
	unstored []int // columns that the worker that runs lacks
	report   io.Writer
	nextWait time.Time // when it may be said again why it waits

	mu       sync.Mutex
	progress *progress
	acked    int64
}

func newPublisher(
	ctx context.Context, client *stream.Client, d *dataset, rate int, shown *progress, report io.Writer, cfg stream.ProducerConfig,
) *publisher {
	p := newChecker(d, shown, report)
	p.ctx, p.pace = ctx, pace{rate: rate}
	cfg.OnAck, cfg.OnWait = p.ack, p.waiting
	p.producer = client.Producer(lasting(ctx, ackGrace), d.Name, d.Shards, cfg)
	return p
}

// newChecker makes one that sends nothing.
func newChecker(d *dataset, shown *progress, report io.Writer) *publisher {
	none, _ := (&errorFlags{}).refusals(nil) // it opens nothing
	p := &publisher{dataset: d, decoder: d.NewDecoder(), batch: d.NewBatch(0, 1), refused: none, progress: shown, report: report}
	p.decoder.OnUnnamed(p.unnamed(map[string]bool{}))
	return p
}

// unnamed warns of a property that no column holds, once each, and of so many.
func (p *publisher) unnamed(warned map[string]bool) func(name []byte) {
	const most = 20
	return func(name []byte) {
		if len(warned) >= most || p.dataset.Shape().Closed() || warned[string(name)] {
			return
		}
		warned[string(name)] = true
		meant := p.dataset.Shape().Nearly(string(name))
		if meant != "" {
			meant = fmt.Sprintf(", which has %q,", meant)
		}
		say(p.report, "%s: property %q is not in the contract%s and no column keeps it", p.dataset.Name, name, meant)
	}
}

// ackGrace is how long what is under way may take to be acknowledged after Ctrl-C, so that it is
// known how far it came.
const ackGrace = 2 * time.Second

// lasting ends that much later than ctx.
func lasting(ctx context.Context, grace time.Duration) context.Context {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer
}

func (p *publisher) ack(events int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked += int64(events)
	p.progress.add(events)
}

// waiting says why nothing is sent, now and then. The producer's goroutine calls it.
func (p *publisher) waiting(w stream.Waiting) {
	if now := time.Now(); now.After(p.nextWait) {
		p.nextWait = now.Add(pipeEvery)
		say(p.report, "publish %s: waiting, %s", p.dataset.Name, w)
	}
}

// sent counts the events that the server has acknowledged.
func (p *publisher) sent() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.acked
}

// send passes one row on, unless it is no event.
func (p *publisher) send(r warehouse.Document) error {
	if held, err := p.holds(r); !held || err != nil {
		return err
	}
	if p.skip > 0 {
		p.skip--
		return nil
	}
	for _, i := range p.unstored {
		if nulls := p.batch.Columns[i].Nulls; nulls == nil || nulls[0] == 0 {
			return refusedError{fmt.Errorf("row %d has %s, which the worker that runs does not store: it began with an earlier contract of %s; start 'estela up' or 'estela worker' again first",
				r.Line, p.dataset.Columns[i].Name, p.dataset.Name)}
		}
	}
	if err := p.pace.wait(p.ctx); err != nil {
		return err
	}
	shard := event.Shard(p.batch.PartitionString(0), p.dataset.Shards)
	return p.producer.Add(p.ctx, shard, r.JSON)
}

// holds reports whether the row is an event; if it is not, it is counted with its reason.
func (p *publisher) holds(r warehouse.Document) (bool, error) {
	p.batch.Reset()
	p.seen++
	if r.Problem == nil && p.decoder.Decode(p.batch, r.JSON, event.ID{}, 0) {
		return true, nil
	}
	var violations []event.Violation
	if r.Problem == nil {
		violations = p.batch.Rejects[0].Violations
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress.refuse()
	return false, p.refused.add(r, violations)
}

// close waits until all is acknowledged; after Ctrl-C, a little at most.
func (p *publisher) close(ctx context.Context) error {
	if err := p.producer.Close(lasting(ctx, ackGrace)); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}
