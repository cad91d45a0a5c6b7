package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

type publishCmd struct {
	fileFlags
	otlpFlags

	Rate  int `help:"Events a second at most; 0 is as fast as it goes." default:"0"`
	Batch int `help:"Events packed into one stream entry." default:"1"`
	Wait  int `help:"Replicas that must have each flush before it counts as sent." default:"0"`
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
	p := newPublisher(ctx, client, d, c.Rate, newProgress(s.err, "publish "+d.Name, -1), s.err,
		stream.ProducerConfig{Batch: c.Batch, Wait: c.Wait, Trace: tracing.Publishing(ctx, d.Name)})
	err = errors.Join(c.each(ctx, s, d, p.send), p.close(ctx))
	p.progress.finish()
	if err == nil && p.refused > 0 {
		return fmt.Errorf("%d rows are no events of %s and were not sent", p.refused, d.Name)
	}
	return err
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
	refused  int
	report   io.Writer

	mu       sync.Mutex
	progress *progress
	acked    int64
}

func newPublisher(
	ctx context.Context, client *stream.Client, d *dataset, rate int, shown *progress, report io.Writer, cfg stream.ProducerConfig,
) *publisher {
	p := &publisher{
		ctx: ctx, dataset: d, decoder: d.NewDecoder(), batch: d.NewBatch(0, 1),
		pace: pace{rate: rate}, progress: shown, report: report,
	}
	cfg.OnAck = p.ack
	cfg.OnWait = func(w stream.Waiting) { say(report, "publish %s: waiting, %s", d.Name, w) }
	p.producer = client.Producer(ctx, d.Name, d.Shards, cfg)
	return p
}

func (p *publisher) ack(events int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked += int64(events)
	p.progress.add(events)
}

// sent counts the events that the server has acknowledged.
func (p *publisher) sent() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.acked
}

// send passes one row on, or reports why it is no event.
func (p *publisher) send(r warehouse.Document) error {
	if !p.holds(r) {
		return nil
	}
	if p.skip > 0 {
		p.skip--
		return nil
	}
	if err := p.pace.wait(p.ctx); err != nil {
		return err
	}
	shard := contract.Shard(p.batch.PartitionString(0), p.dataset.Shards)
	return p.producer.Add(p.ctx, shard, r.JSON)
}

// holds reports whether the row is an event, and says why if it is not.
func (p *publisher) holds(r warehouse.Document) bool {
	p.batch.Reset()
	if r.Problem == nil && p.decoder.Decode(p.batch, r.JSON, contract.ID{}, 0) {
		return true
	}
	p.refused++
	if r.Problem != nil {
		say(p.report, "row %d: %v", r.Line, r.Problem)
		return false
	}
	violations := p.batch.Rejects[0].Violations
	for i, v := range violations {
		if i == shownViolations {
			say(p.report, "row %d: and %d more", r.Line, len(violations)-i)
			break
		}
		say(p.report, "row %d: %s", r.Line, v)
	}
	return false
}

// shownViolations bounds what is said about one row.
const shownViolations = 10

// close waits until all is acknowledged, or gives the rest up when ctx has ended.
func (p *publisher) close(ctx context.Context) error {
	if err := p.producer.Close(ctx); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}
