package intake

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/stream"
)

// Config configures a Publisher.
type Config struct {
	stream.ProducerConfig

	// Rate is the most events a second.
	//
	// Default: no limit.
	Rate int
	// UnknownColumns are columns that the running worker does not know: an event with a value in
	// one is refused.
	UnknownColumns []int
}

// Publisher publishes the valid rows of a Checker.
type Publisher struct {
	ctx            context.Context //nolint:containedctx // the command's, for the calls back from reading rows
	check          *Checker
	client         *stream.Client
	producer       *stream.Producer
	pacer          pacer
	unknownColumns []int
	sent           atomic.Int64
	nextWait       time.Time // when to report again why it waits
}

// NewPublisher returns a Publisher that ends at most ackGrace after ctx.
func NewPublisher(ctx context.Context, client *stream.Client, check *Checker, cfg Config) *Publisher {
	p := &Publisher{ctx: ctx, check: check, client: client, pacer: pacer{rate: cfg.Rate}, unknownColumns: cfg.UnknownColumns}
	cfg.OnAck, cfg.OnWait = p.ack, p.waiting
	p.producer = client.Producer(WithGrace(ctx, ackGrace), check.Dataset.Contract, cfg.ProducerConfig)
	return p
}

// ackGrace is how long events in flight may take to be acknowledged after Ctrl-C, so that the number to
// resume from is known.
const ackGrace = 2 * time.Second

// WithGrace returns a context that ends the given time after ctx.
func WithGrace(ctx context.Context, grace time.Duration) context.Context {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer
}

func (p *Publisher) ack(events int) {
	p.sent.Add(int64(events))
	p.check.Progress.Add(events)
}

// waiting reports why nothing is sent, every pipeEvery. The producer's goroutine calls it.
func (p *Publisher) waiting(w stream.Waiting) {
	if now := time.Now(); now.After(p.nextWait) {
		p.nextWait = now.Add(pipeEvery)
		say(p.check.Report, "publish %s: waiting, %s", p.check.Dataset.Name, w)
	}
}

// Sent counts the events that the server has acknowledged.
func (p *Publisher) Sent() int64 { return p.sent.Load() }

// Send publishes one row, if it is valid.
func (p *Publisher) Send(r importer.Document) error {
	if ok, err := p.check.Event(r); !ok || err != nil {
		return err
	}
	d, b := p.check.Dataset, p.check.batch
	for _, i := range p.unknownColumns {
		if nulls := b.Columns[i].Nulls; nulls == nil || nulls[0] == 0 {
			return fault.Refusedf("row %d has %s, which the running worker does not store: it was started with an earlier contract of %s; restart 'estela up' or 'estela worker' first",
				r.Line, d.Columns[i].Name, d.Name)
		}
	}
	if err := p.pacer.wait(p.ctx); err != nil {
		return err
	}
	return p.producer.Add(p.ctx, event.Shard(b.PartitionString(0), d.Shards), r.JSON)
}

// Close waits until all is acknowledged, at most ackGrace after the end of ctx.
func (p *Publisher) Close(ctx context.Context) error {
	if err := p.producer.Close(WithGrace(ctx, ackGrace)); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// pacer limits the rate of events, evenly.
type pacer struct {
	rate  int
	begun time.Time
	sent  int
}

// paceStep is the shortest sleep.
const paceStep = 5 * time.Millisecond

// wait returns when the next event is due.
func (p *pacer) wait(ctx context.Context) error {
	if p.rate <= 0 {
		return ctx.Err()
	}
	if p.begun.IsZero() {
		p.begun = time.Now()
	}
	due := p.begun.Add(time.Duration(p.sent) * time.Second / time.Duration(p.rate))
	p.sent++
	if early := time.Until(due); early > paceStep {
		select {
		case <-time.After(early):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}
