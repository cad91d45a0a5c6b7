package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/jsontext"
	"github.com/estela-dev/estela/services/internal/problem"
	"github.com/estela-dev/estela/services/internal/spool"
)

const (
	// maxPack is the most events of an entry, maxPackBytes its size from which on no further is added.
	maxPack      = 1000
	maxPackBytes = 256 << 10
	// maxInMemory is how much of a request's events is kept in memory.
	maxInMemory = 1 << 20
	// maxErrors and maxLineErrors are how many violations are listed of a request, and of one event.
	maxErrors, maxLineErrors = 100, 10
)

// parcel is pass one of a request: its events, checked and packed as the entries that they will be.
type parcel struct {
	contract *contract.Contract
	decoder  *contract.Decoder
	batch    *contract.Batch
	splitter splitter
	events   cloudEvents
	packs    []pack // by shard
	packed   int    // bytes in packs

	// entries are in the order of data, which goes on in spilled.
	entries []entry
	data    []byte
	spilled *spool.Writer
	spill   func() *spool.Writer

	taken, invalid int
	errors         []problem.LineError
	keep           bool // invalid events are published
	hashed         bool // there is an Idempotency-Key
	hash           hash.Hash
	size           []byte // of an event, for hash
}

// pack is an entry that is being filled.
type pack struct {
	lines  []byte
	events int
}

// entry is an entry whose payload is the next size bytes of the parcel's data.
type entry struct {
	shard, events, size int32 // a request may have a million
	kind                event.Kind
}

func newParcel(k *contract.Contract) *parcel {
	return &parcel{
		contract: k, decoder: k.NewDecoder(), batch: k.NewBatch(0, 1), packs: make([]pack, k.Shards),
		events: cloudEvents{contract: k, names: map[string]bool{}}, hash: sha256.New(),
	}
}

// reset empties the parcel and keeps its memory.
func (p *parcel) reset(opts options, spill func() *spool.Writer) {
	p.discard()
	for i := range p.packs {
		p.packs[i] = pack{lines: kept(p.packs[i].lines)}
	}
	buf := kept(p.splitter.buf)
	p.splitter.buf = buf[:cap(buf)]
	p.packed, p.entries, p.data = 0, p.entries[:0], p.data[:0]
	if cap(p.entries) > maxWindowEntries {
		p.entries = nil
	}
	p.taken, p.invalid, p.errors = 0, 0, nil
	p.keep, p.hashed, p.spill = opts.keep, opts.key != "", spill
	p.hash.Reset()
}

// maxKept is the most memory of one buffer that a request leaves to the next.
const maxKept = 256 << 10

// kept is an emptied buffer, nil if it grew large.
func kept(buf []byte) []byte {
	if cap(buf) > maxKept {
		return nil
	}
	return buf[:0]
}

// discard frees what is on disk.
func (p *parcel) discard() {
	if p.spilled != nil {
		p.spilled.Discard()
		p.spilled = nil
	}
}

// add checks an event by the worker's decoder and packs it. line is its number for messages.
func (p *parcel) add(doc []byte, line int) error {
	p.batch.Reset()
	p.taken++
	if p.decoder.Decode(p.batch, doc, event.ID{}, 0) {
		return p.pack(doc, p.shard(), true)
	}
	p.report(line, p.batch.Rejects[0].Violations)
	// A reject has no place among the events of a partition, and may have none.
	return p.pack(doc, event.Shard(string(doc), len(p.packs)), false)
}

// shard is that of the row in the batch.
func (p *parcel) shard() int {
	if len(p.packs) == 1 {
		return 0
	}
	return event.Shard(p.batch.PartitionString(0), len(p.packs))
}

// report counts an invalid event and lists its violations.
func (p *parcel) report(line int, violations []event.Violation) {
	p.invalid++
	for i, v := range violations {
		if i == maxLineErrors || len(p.errors) == maxErrors {
			return
		}
		p.errors = append(p.errors, problem.LineError{Line: line, Pointer: v.Pointer, Keyword: v.Keyword, Detail: v.Message})
	}
}

// pack adds an event to the entry of its shard. Of a valid one, line breaks between its tokens become
// spaces; any other that is not one line gets an entry of its own.
func (p *parcel) pack(doc []byte, shard int, valid bool) error {
	if p.invalid > 0 && !p.keep {
		return nil // nothing will be published
	}
	to := &p.packs[shard]
	before := len(to.lines)
	if valid && bytes.IndexByte(doc, '\n') >= 0 {
		to.lines = jsontext.AppendLine(to.lines, doc)
	} else {
		to.lines = append(to.lines, doc...)
	}
	doc = to.lines[before:]
	if p.hashed {
		p.size = append(strconv.AppendInt(p.size[:0], int64(len(doc)), 10), ' ') // so that one of two lines is not two
		p.hash.Write(p.size)
		p.hash.Write(doc)
	}
	if p.contract.Stream.EventField() != "" || !valid && !isLine(doc) {
		own := bytes.Clone(doc)
		to.lines = to.lines[:before]
		if err := p.seal(shard); err != nil {
			return err
		}
		return p.store(entry{shard: int32(shard), events: 1, kind: event.Single}, own)
	}
	to.lines = append(to.lines, '\n')
	to.events++
	p.packed += len(doc) + 1
	switch {
	case to.events == maxPack || len(to.lines) >= maxPackBytes:
		return p.seal(shard)
	case p.packed >= maxInMemory:
		return p.sealAll()
	}
	return nil
}

// isLine reports whether an event survives the round trip as a line of NDJSON.
func isLine(doc []byte) bool {
	return len(bytes.TrimSpace(doc)) > 0 && doc[len(doc)-1] != '\r' && bytes.IndexByte(doc, '\n') < 0
}

// seal ends the entry that is filled for a shard.
func (p *parcel) seal(shard int) error {
	from := &p.packs[shard]
	if from.events == 0 {
		return nil
	}
	p.packed -= len(from.lines)
	e, payload := entry{shard: int32(shard), events: int32(from.events), kind: event.Lines}, from.lines
	if from.events == 1 {
		e.kind, payload = event.Single, payload[:len(payload)-1]
	}
	from.lines, from.events = from.lines[:0], 0
	return p.store(e, payload)
}

func (p *parcel) sealAll() error {
	for shard := range p.packs {
		if err := p.seal(shard); err != nil {
			return err
		}
	}
	return nil
}

// store appends an entry's payload to the data: in memory, or on disk.
func (p *parcel) store(e entry, payload []byte) error {
	e.size = int32(len(payload))
	p.entries = append(p.entries, e)
	if p.spilled == nil && len(p.data)+len(payload) <= maxInMemory {
		p.data = append(p.data, payload...)
		return nil
	}
	if p.spilled == nil {
		p.spilled = p.spill()
		if _, err := p.spilled.Write(p.data); err != nil {
			return spoolProblem(err)
		}
	}
	if _, err := p.spilled.Write(payload); err != nil {
		return spoolProblem(err)
	}
	return nil
}

// fingerprint is a hash of all events in their order.
func (p *parcel) fingerprint() string { return hex.EncodeToString(p.hash.Sum(nil)) }

// problem is that of a request with invalid events, nil if it has none or publishes them.
func (p *parcel) problem() error {
	switch {
	case p.taken == 0:
		return invalidBody.New("", "The body has no event.")
	case p.invalid == 0 || p.keep:
		return nil
	}
	return refusal(p.invalid, p.taken, p.errors)
}
