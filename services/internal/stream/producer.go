package stream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

const (
	// MaxEvent is the longest event that a producer accepts.
	MaxEvent = contract.MaxEvent
	// MaxEntry is the longest payload that a producer puts into one entry.
	MaxEntry = 4 << 20
)

// ProducerConfig configures how a producer batches and when it waits.
type ProducerConfig struct {
	// Batch is how many events are packed into one entry, as the NDJSON field
	// "events".
	//
	// Default: 1, each event is an entry of its own with the field "event".
	Batch int

	// FlushEvents and FlushBytes are how much is sent at once, in one
	// transaction of the server.
	//
	// Default: 1,000 events, or 16 full entries a shard if that is more; 1 MiB.
	FlushEvents, FlushBytes int

	// Linger is how long an event waits for others before it is flushed.
	//
	// Default: 20 ms.
	Linger time.Duration

	// Timeout is how long to wait for the server's reply to a flush.
	//
	// Default: 10 s.
	Timeout time.Duration

	// Patience is how long a flush is retried while the server is unavailable or returns
	// transient errors, after which the producer ends with the error.
	//
	// Default: 0, for ever.
	Patience time.Duration

	// Wait is how many replicas must acknowledge each flush (WAIT), within WaitTimeout;
	// with fewer the producer ends with [ErrReplicas]. It narrows what a
	// failover can lose to nothing only if that many replicas survive.
	//
	// Default: 0 replicas, 1 s.
	Wait        int
	WaitTimeout time.Duration

	// HighWater is the lag of a shard, in entries, above which the producer waits for the
	// workers; where no worker has reported, all entries of the stream count.
	//
	// Default: 1,000,000 divided by Batch, at least 1,000; negative: no limit.
	HighWater int64

	// OnAck is called with the number of events of each acknowledged flush; OnWait
	// each time the producer is about to wait. Both are called
	// from the producer's goroutine.
	OnAck  func(events int)
	OnWait func(Waiting)

	// Trace is called for each flush and returns the W3C traceparent of its first
	// entry, and what to call once that is acknowledged.
	//
	// Default, and for an empty one: none.
	Trace func() (traceparent string, acked func())
}

// Waiting is why a producer waits: the lag of a shard, or a transient error.
type Waiting struct {
	// Shard and Lag are of the stream that is full, if Err is nil.
	Shard int
	Lag   Lag
	// Err is the transient error of the server or the network.
	Err error
	// For is the time until the retry.
	For time.Duration
}

func (w Waiting) String() string {
	if w.Err != nil {
		return fmt.Sprintf("retry in %s: %v", w.For, w.Err)
	}
	if !w.Lag.Reported {
		return fmt.Sprintf("retry in %s: shard %d has %d entries, and no worker has reported a position", w.For, w.Shard, w.Lag.Entries)
	}
	if w.Lag.Lease == "" {
		return fmt.Sprintf("retry in %s: shard %d has a lag of %d entries, and no worker owns it", w.For, w.Shard, w.Lag.Entries)
	}
	return fmt.Sprintf("retry in %s: shard %d has a lag of %d entries", w.For, w.Shard, w.Lag.Entries)
}

func (c ProducerConfig) withDefaults(shards int) ProducerConfig {
	c.Batch = max(c.Batch, 1)
	c.FlushEvents = orDefault(c.FlushEvents, 1000)
	if c.Batch > 1 {
		c.FlushEvents = max(c.FlushEvents, 16*c.Batch*shards)
	}
	c.FlushBytes = orDefault(c.FlushBytes, 1<<20)
	c.Linger = orDefault(c.Linger, 20*time.Millisecond)
	c.Timeout = orDefault(c.Timeout, 10*time.Second)
	c.WaitTimeout = orDefault(c.WaitTimeout, time.Second)
	c.HighWater = orDefault(c.HighWater, max(1_000_000/int64(c.Batch), 1000))
	return c
}

// TooLargeError refuses an event above [MaxEvent].
type TooLargeError struct{ Size int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the event has %d bytes, the limit is %d: split it, or put the large part elsewhere and refer to it",
		e.Size, MaxEvent)
}

// Producer writes events to the streams of one dataset. Events of one shard get
// into its stream in the order of their Add. It is safe for concurrent use.
type Producer struct {
	client *Client
	cfg    ProducerConfig
	ctx    context.Context //nolint:containedctx // it is the sender's, whose life is the producer's
	cancel context.CancelFunc

	// turn is the lock of filling, as a channel so that waiting for it can end.
	turn    chan struct{}
	filling *batch
	full    chan *batch
	idle    chan *batch
	flushes chan chan error
	done    chan struct{}
	err     error // set before done is closed

	shards []shardCommands
	sender *sender
	added  atomic.Int64
	acked  atomic.Int64
}

// errClosed is the error of a closed producer.
var errClosed = errors.New("the producer is closed")

// errFields refuses an event for a stream whose entries' own fields are the properties.
var errFields = errors.New("the stream's entries have a field for each property: only its own producers write them")

// Producer starts a producer that runs until Close, or until ctx ends: then what is not
// acknowledged yet is dropped, and Close returns how much.
//
// To a foreign stream it writes what the stream's own producers do: each event alone, in the field
// that the contract names, without a trace. Where they write the properties as fields, it can't: see
// [CanPublish].
func (c *Client) Producer(ctx context.Context, k *contract.Contract, cfg ProducerConfig) *Producer {
	shards := k.Shards
	if k.Stream != nil {
		cfg.Trace = nil
	}
	if k.Stream.EventField() != "" {
		cfg.Batch = 1
	}
	p := &Producer{
		client: c, cfg: cfg.withDefaults(shards),
		turn: make(chan struct{}, 1), full: make(chan *batch, 1), idle: make(chan *batch, 3),
		flushes: make(chan chan error), done: make(chan struct{}),
		shards: make([]shardCommands, shards),
	}
	p.ctx, p.cancel = context.WithCancel(ctx)
	for i := range p.shards {
		p.shards[i] = newShardCommands(addressOf(k, i))
	}
	p.sender = newSender(c, p.cfg, shards)
	p.filling = newBatch(shards)
	go p.run()
	return p
}

// CanPublish reports whether a producer can write to the dataset's streams: not where an entry's own
// fields are the properties, which Estela reads as text and doesn't write.
func CanPublish(k *contract.Contract) bool { return !k.Stream.HasFields() }

// Added and Acked count events: handed to Add, and acknowledged by the server.
func (p *Producer) Added() int64 { return p.added.Load() }

// Acked counts the events that the server has acknowledged.
func (p *Producer) Acked() int64 { return p.acked.Load() }

// Last is the ID of the newest entry of the shard that was acknowledged, zero if there is none.
// It is for after Close.
func (p *Producer) Last(shard int) event.ID { return p.sender.last[shard] }

// Add adds an event, which it copies, to a shard. It blocks while two flushes are in flight.
// An error of ctx or of validation concerns this event alone, which is not added; after any
// other error the producer has ended.
func (p *Producer) Add(ctx context.Context, shard int, event []byte) error {
	if err := p.accepts(shard, event); err != nil {
		return err
	}
	if err := p.lock(ctx); err != nil {
		return err
	}
	defer p.unlock()
	if err := p.makeRoom(ctx); err != nil {
		return err
	}
	if p.cfg.Trace != nil && p.filling.events == 0 {
		p.filling.trace, p.filling.acked = p.cfg.Trace()
	}
	p.filling.add(&p.shards[shard], shard, event, p.cfg.Batch)
	p.added.Add(1)
	if p.isFull() {
		select { // early, if the sender is free
		case p.full <- p.filling:
			p.filling = p.emptyBatch()
		default:
		}
	}
	return nil
}

func (p *Producer) accepts(shard int, event []byte) error {
	if shard < 0 || shard >= len(p.shards) {
		return fmt.Errorf("add an event: there is no shard %d, the dataset has %d", shard, len(p.shards))
	}
	if p.shards[shard].at.form.fields {
		return errFields
	}
	if len(event) > MaxEvent {
		return &TooLargeError{Size: len(event)}
	}
	return nil
}

func (p *Producer) isFull() bool {
	return p.filling.events >= p.cfg.FlushEvents || p.filling.size() >= p.cfg.FlushBytes
}

// makeRoom passes a full batch to the sender.
func (p *Producer) makeRoom(ctx context.Context) error {
	if !p.isFull() {
		return nil
	}
	select {
	case p.full <- p.filling:
		p.filling = p.emptyBatch()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.done:
		return p.end()
	}
}

func (p *Producer) lock(ctx context.Context) error {
	select {
	case <-p.done:
		return p.end()
	default:
	}
	select { // the usual case, ten times as fast as the full choice
	case p.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.done:
		return p.end()
	}
}

func (p *Producer) unlock() { <-p.turn }

func (p *Producer) emptyBatch() *batch {
	select {
	case b := <-p.idle:
		return b
	default:
		return newBatch(len(p.shards))
	}
}

// Flush returns when every event added before is acknowledged, or with the
// error that ended the producer.
func (p *Producer) Flush(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case p.flushes <- answer:
	case <-ctx.Done():
		return ctx.Err()
	case <-p.done:
		return p.end()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close flushes and ends the producer. If ctx ends first, what is not acknowledged is dropped;
// the error has how much.
func (p *Producer) Close(ctx context.Context) error {
	err := p.Flush(ctx)
	p.cancel()
	<-p.done
	if errors.Is(err, errClosed) {
		return nil
	}
	if left := p.Added() - p.Acked(); err != nil && left > 0 {
		return fmt.Errorf("%d of %d events were not acknowledged: %w", left, p.Added(), err)
	}
	return err
}

// end is the error of a producer that is done.
func (p *Producer) end() error {
	if p.err != nil {
		return p.err
	}
	return errClosed
}

// run is the sender: it alone talks to the server.
func (p *Producer) run() {
	defer close(p.done)
	defer p.sender.close()
	tick := time.NewTicker(p.cfg.Linger)
	defer tick.Stop()
	for p.err == nil {
		select {
		case b := <-p.full:
			p.err = p.send(b)
		case <-tick.C:
			p.err = p.drain()
		case answer := <-p.flushes:
			p.err = p.drain()
			answer <- p.err
		case <-p.ctx.Done():
			p.stop()
			return
		}
	}
}

// stop sets an error if events are dropped.
func (p *Producer) stop() {
	if p.Added() > p.Acked() {
		p.err = fmt.Errorf("send events: %w", p.ctx.Err())
	}
}

// drain sends everything that was added.
func (p *Producer) drain() error {
	for {
		b := p.nextBatch()
		if b == nil {
			return nil
		}
		if err := p.send(b); err != nil {
			return err
		}
	}
}

// nextBatch is the oldest batch, nil if there is none. An Add that waits for room in full has
// the lock: so both are awaited.
func (p *Producer) nextBatch() *batch {
	select {
	case b := <-p.full:
		return b
	case p.turn <- struct{}{}:
	}
	defer p.unlock()
	select {
	case b := <-p.full:
		return b
	default:
	}
	if p.filling.events == 0 {
		return nil
	}
	b := p.filling
	p.filling = p.emptyBatch()
	return b
}

func (p *Producer) send(b *batch) error {
	if err := p.sender.send(p.ctx, b, p.shards); err != nil {
		return fmt.Errorf("send %d events: %w", b.events, err)
	}
	p.acked.Add(int64(b.events))
	if b.acked != nil {
		b.acked()
	}
	if p.cfg.OnAck != nil {
		p.cfg.OnAck(b.events)
	}
	b.reset()
	select {
	case p.idle <- b:
	default:
	}
	return nil
}
