package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/estela-dev/estela/services/internal/event"
)

// maxWindowEntries is the most entries of a window: while Redis adds them, it answers nobody else.
const maxWindowEntries = 4096

// publication is pass two of a request: its entries go to the streams, a window at a time.
type publication struct {
	parcel *parcel
	to     Publisher
	// once is nil without an Idempotency-Key.
	once *event.Request
	// trace is the traceparent of the request, "" without.
	trace string

	window    []byte           // payloads that were read from disk
	additions []event.Addition // of the window, one a shard
	at        []int            // by shard, the index in additions plus one
	passed    []int            // by shard, the events of earlier windows
	added     []event.Range    // by shard
}

func newPublication(p *parcel, to Publisher, once *event.Request) *publication {
	shards := len(p.packs)
	return &publication{
		parcel: p, to: to, once: once,
		at: make([]int, shards), passed: make([]int, shards), added: make([]event.Range, shards),
	}
}

// run publishes all entries and returns what was added, by shard.
func (u *publication) run() ([]event.Range, error) {
	p := u.parcel
	if err := u.claim(); err != nil {
		return nil, err
	}
	var from io.Reader
	if p.spilled != nil {
		body, err := p.spilled.Finish()
		if err != nil {
			return nil, spoolProblem(err)
		}
		p.spilled = nil
		body.Share(1)
		file := body.Open(nil)
		defer func() { _ = file.Close() }() // it was only read
		from = file
	}
	data := p.data
	for rest := p.entries; len(rest) > 0; {
		n, size := 0, 0
		for n < min(len(rest), maxWindowEntries) && (n == 0 || size+int(rest[n].size) <= maxInMemory) {
			size += int(rest[n].size)
			n++
		}
		if from != nil {
			u.window = slices.Grow(u.window[:0], size)[:size]
			data = u.window
			if _, err := io.ReadFull(from, data); err != nil {
				return nil, fmt.Errorf("read the events' temporary file: %w", err)
			}
		}
		if err := u.send(rest[:n], data); err != nil {
			return nil, err
		}
		rest, data = rest[n:], data[size:]
	}
	return u.added, nil
}

// claim makes the record that decides whose the key is, unless the only shard's events do.
func (u *publication) claim() error {
	if u.once == nil || len(u.at) == 1 {
		return nil
	}
	home := event.Shard(u.once.Key, len(u.at))
	once := *u.once
	return u.append([]event.Addition{{Shard: home, Once: &once}})
}

func (u *publication) append(additions []event.Addition) error {
	if err := u.to.Append(u.parcel.contract, additions); err != nil {
		return publishProblem(err)
	}
	return nil
}

// send publishes the entries, whose payloads are data.
func (u *publication) send(entries []entry, data []byte) error {
	u.additions = u.additions[:0]
	clear(u.at)
	for _, e := range entries {
		if u.at[e.shard] == 0 {
			u.additions = append(u.additions, event.Addition{Shard: int(e.shard), Trace: u.trace})
			u.at[e.shard] = len(u.additions)
		}
		to := &u.additions[u.at[e.shard]-1]
		to.Entries = append(to.Entries, event.Payload{Kind: e.kind, Events: int(e.events), Data: data[:e.size]})
		data = data[e.size:]
	}
	if u.once != nil {
		return u.sendOnce()
	}
	if err := u.append(u.additions); err != nil {
		return err
	}
	for _, a := range u.additions {
		sum := &u.added[a.Shard]
		if sum.Events == 0 {
			sum.First = a.Added.First
		}
		sum.Events, sum.Last = sum.Events+a.Added.Events, a.Added.Last
	}
	return nil
}

var errForgotten = errors.New("the server has lost events of the request that it had confirmed")

// sendOnce publishes what of the additions is not published yet, by this process or by one before.
func (u *publication) sendOnce() error {
	for {
		var left []event.Addition
		for _, a := range u.additions {
			before := u.added[a.Shard].Events
			if before < u.passed[a.Shard] {
				return publishProblem(errForgotten)
			}
			if a.Entries = after(a.Entries, before-u.passed[a.Shard]); len(a.Entries) == 0 {
				continue
			}
			once := *u.once
			once.Before = before
			a.Once = &once
			left = append(left, a)
		}
		if len(left) == 0 {
			break
		}
		if err := u.append(left); err != nil {
			return err
		}
		for _, a := range left {
			u.added[a.Shard] = a.Added
		}
	}
	for _, a := range u.additions {
		for _, e := range a.Entries {
			u.passed[a.Shard] += e.Events
		}
	}
	return nil
}

// after is what of the entries is left after so many of their events. Entries may have been packed
// otherwise by another version of this program.
func after(entries []event.Payload, events int) []event.Payload {
	for len(entries) > 0 && events >= entries[0].Events {
		events -= entries[0].Events
		entries = entries[1:]
	}
	if len(entries) == 0 || events <= 0 {
		return entries
	}
	first := entries[0]
	for range events {
		_, first.Data, _ = bytes.Cut(first.Data, []byte{'\n'})
	}
	first.Events -= events
	return append([]event.Payload{first}, entries[1:]...)
}
