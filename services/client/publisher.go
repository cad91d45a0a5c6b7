package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
)

// MaxEvent is the longest event, in bytes.
const MaxEvent = contract.MaxEvent

// PublisherConfig configures how a publisher batches, and what it does with what goes wrong.
type PublisherConfig struct {
	// BatchEvents and BatchBytes are how much is sent at once; the event that reaches them is the batch's last.
	//
	// Default: 1,000 events; 1 MiB.
	BatchEvents, BatchBytes int

	// Linger is how long an event waits for others before it is sent.
	//
	// Default: 20 ms.
	Linger time.Duration

	// Timeout is how long to wait for the answer to a request before it is sent again.
	//
	// Default: 1 min. Over Redis it is 10 s.
	Timeout time.Duration

	// Stored: a batch is published once the warehouse has stored it.
	//
	// Default: once Redis has it.
	Stored bool

	// KeepInvalid: invalid events are published like the others, and the warehouse keeps them among its rejects,
	// with what is wrong with each.
	KeepInvalid bool

	// OnInvalid is called for each event that the server refuses, in order: one that is invalid (Err is an
	// *InvalidError) or too large. The others of its batch are sent. It is called from the publisher's goroutine, which
	// waits for it.
	//
	// Default: such an event ends the publisher.
	OnInvalid func(Unpublished)

	// OnRetry is called each time before a batch is sent again after the wait, from the publisher's goroutine.
	OnRetry func(err error, wait time.Duration)
}

func (c PublisherConfig) withDefaults() PublisherConfig {
	c.BatchEvents = cmp.Or(max(c.BatchEvents, 0), 1000)
	c.BatchBytes = cmp.Or(max(c.BatchBytes, 0), 1<<20)
	c.Linger = cmp.Or(c.Linger, 20*time.Millisecond)
	c.Timeout = cmp.Or(max(c.Timeout, 0), time.Minute)
	return c
}

// transport prepares to send events to where they go. The attempt that it returns sends them, and is repeated after a
// *transientError. Its other errors are an invalidEventsError, a *Problem, or final.
type transport func(events [][]byte) (attempt func(context.Context) error)

// Publisher publishes events to a dataset, in batches and in the order of Publish. One goroutine fills a batch,
// another sends the one before. It is safe for concurrent use.
type Publisher struct {
	cfg    PublisherConfig
	ctx    context.Context //nolint:containedctx // it is the goroutines', whose life is the publisher's
	cancel context.CancelCauseFunc
	send   transport

	events  chan []byte
	flushes chan chan<- struct{}
	batches chan batch
	sent    chan struct{} // closed when the sender has ended
	unsent  []Unpublished // set before sent is closed
	cause   error         // the same
	done    chan struct{}
	err     error // set before done is closed
}

// batch is events that are sent at once, and who waits for that.
type batch struct {
	events [][]byte
	bytes  int
	// flushed are closed once all is published.
	flushed []chan<- struct{}
}

// errClosed is the error of a closed publisher.
var errClosed = errors.New("the publisher is closed")

// newPublisher starts a publisher, which runs until Close or until ctx ends.
func newPublisher(ctx context.Context, cfg PublisherConfig, send transport) *Publisher {
	p := &Publisher{
		cfg: cfg, send: send, events: make(chan []byte), flushes: make(chan chan<- struct{}),
		batches: make(chan batch), sent: make(chan struct{}), done: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	go p.sendAll()
	go p.fill()
	return p
}

// Publish adds an event: JSON as []byte or json.RawMessage, which it copies, or a value that encoding/json makes an object
// of. It waits while a batch is sent and the next one is full. If it fails, this event was not added.
func (p *Publisher) Publish(ctx context.Context, event any) error {
	line, err := encode(event)
	if err != nil {
		return fmt.Errorf("publish event: %w", err)
	}
	select {
	case p.events <- line:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("publish event: %w", ctx.Err())
	case <-p.done:
		return fmt.Errorf("publish event: %w", p.end())
	}
}

// space is what may surround a JSON value.
const space = " \t\r\n"

// encode returns an event as one line.
func encode(event any) (line []byte, err error) {
	switch e := event.(type) {
	case []byte:
		line = bytes.Clone(bytes.Trim(e, space))
	case json.RawMessage:
		line = bytes.Clone(bytes.Trim(e, space))
	default:
		if line, err = json.Marshal(event); err != nil {
			return nil, err
		}
	}
	if bytes.ContainsAny(line, "\r\n") {
		var compact bytes.Buffer
		if err := json.Compact(&compact, line); err != nil {
			return nil, err
		}
		line = compact.Bytes()
	}
	switch {
	case len(line) == 0:
		return nil, errors.New("the event is empty")
	case len(line) > MaxEvent:
		return nil, fmt.Errorf("the event has %d bytes, the limit is %d: split it, or put the large part elsewhere and refer to it", len(line), MaxEvent)
	}
	return line, nil
}

// Flush returns when every event added before is published, or was handed to OnInvalid. It fails with a
// *PublishError if the publisher has ended.
func (p *Publisher) Flush(ctx context.Context) error {
	flushed := make(chan struct{})
	select {
	case p.flushes <- flushed:
	case <-ctx.Done():
		return ctx.Err()
	case <-p.done:
		return p.end()
	}
	select {
	case <-flushed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.done:
	}
	select {
	case <-flushed: // and it ended afterwards
		return nil
	default:
		return p.end()
	}
}

// Close flushes and ends the publisher. If ctx ends first, the rest is not sent. It fails with a
// *PublishError that has every event that was not published.
func (p *Publisher) Close(ctx context.Context) error {
	if err := p.Flush(ctx); err != nil {
		p.cancel(err)
	}
	p.cancel(errClosed)
	<-p.done
	return p.err
}

// end is the error of a publisher that is done.
func (p *Publisher) end() error {
	if p.err != nil {
		return p.err
	}
	return p.cause
}

// fill owns the batch that is filled: size, time and flushes meet here.
func (p *Publisher) fill() {
	defer close(p.done)
	var filling batch
	var linger <-chan time.Time
	due := false
	for {
		in, out := p.events, chan<- batch(nil)
		if len(filling.events) >= p.cfg.BatchEvents || filling.bytes >= p.cfg.BatchBytes {
			in, due = nil, true
		}
		if due {
			out = p.batches
		}
		select {
		case event := <-in:
			if len(filling.events) == 0 {
				linger = time.After(p.cfg.Linger)
			}
			filling.events, filling.bytes = append(filling.events, event), filling.bytes+len(event)+1
		case <-linger:
			due = true
		case flushed := <-p.flushes:
			filling.flushed, due = append(filling.flushed, flushed), true
		case out <- filling:
			filling, linger, due = batch{}, nil, false
		case <-p.sent:
			p.finish(filling.events)
			return
		}
	}
}

// finish sets the error of a publisher that leaves events.
func (p *Publisher) finish(filling [][]byte) {
	if p.cause == nil {
		p.cause = context.Cause(p.ctx)
	}
	p.cancel(p.cause)
	for _, event := range filling {
		p.unsent = append(p.unsent, Unpublished{event, p.cause})
	}
	if len(p.unsent) > 0 {
		p.err = &PublishError{Err: p.cause, Events: p.unsent}
	}
}
