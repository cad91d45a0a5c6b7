package stream

import (
	"bytes"
	"cmp"

	"github.com/estela-dev/estela/services/internal/contract"
)

// shardCommands are the constant parts of a shard's commands.
type shardCommands struct {
	at  address
	key string // of the stream
	// single and lines begin an XADD whose last argument, the payload, follows.
	single, lines []byte
}

func newShardCommands(at address) shardCommands {
	return shardCommands{
		at: at, key: at.stream,
		single: addCommand(at.stream, cmp.Or(at.form.field, contract.FieldEvent)), lines: addCommand(at.stream, contract.FieldEvents),
	}
}

// addCommand is XADD KEY * FIELD, one argument short.
func addCommand(key, field string) []byte {
	command := appendHeader(nil, '*', 5)
	args := appendCommand(nil, "XADD", key, "*", field)
	return append(command, args[len("*4\r\n"):]...)
}

// batch is what one transaction adds: commands as RESP, ready to be sent as often as
// needed.
type batch struct {
	out      []byte
	order    []int // the shard of each command
	events   int
	commands []int64 // by shard
	packs    []pack  // by shard
	packed   int
	// trace goes with the next command.
	trace string
	acked func() // nil without a trace
}

// pack is an entry of several events that is still being filled.
type pack struct {
	lines  []byte
	events int
}

func newBatch(shards int) *batch {
	b := &batch{commands: make([]int64, shards), packs: make([]pack, shards)}
	b.reset()
	return b
}

func (b *batch) reset() {
	b.out = appendCommand(b.out[:0], "MULTI")
	b.order, b.events, b.packed, b.trace, b.acked = b.order[:0], 0, 0, "", nil
	clear(b.commands)
}

func (b *batch) size() int { return len(b.out) + b.packed }

// add appends an event, packed with others if packs hold more than one.
func (b *batch) add(to *shardCommands, shard int, event []byte, perPack int) {
	b.events++
	if perPack == 1 || !isLine(event) {
		b.seal(to, shard)
		b.command(to.single, shard, event)
		return
	}
	p := &b.packs[shard]
	if len(p.lines)+len(event)+1 > MaxEntry {
		b.seal(to, shard)
	}
	p.lines = append(append(p.lines, event...), '\n')
	p.events++
	b.packed += len(event) + 1
	if p.events >= perPack {
		b.seal(to, shard)
	}
}

// isLine reports whether an event survives the round trip as a line of NDJSON. Others get an
// entry of their own.
func isLine(event []byte) bool {
	return len(bytes.TrimSpace(event)) > 0 && event[len(event)-1] != '\r' && bytes.IndexByte(event, '\n') < 0
}

// seal turns a shard's pack into a command.
func (b *batch) seal(to *shardCommands, shard int) {
	p := &b.packs[shard]
	if p.events == 0 {
		return
	}
	b.command(to.lines, shard, p.lines)
	b.packed -= len(p.lines)
	p.lines, p.events = p.lines[:0], 0
}

func (b *batch) command(begin []byte, shard int, payload []byte) {
	if b.trace != "" {
		b.out = append(appendHeader(b.out, '*', 7), begin[len("*5\r\n"):]...)
	} else {
		b.out = append(b.out, begin...)
	}
	b.out = appendHeader(b.out, '$', len(payload))
	b.out = append(append(b.out, payload...), '\r', '\n')
	if b.trace != "" {
		field := appendCommand(nil, "traceparent", b.trace)
		b.out, b.trace = append(b.out, field[len("*2\r\n"):]...), ""
	}
	b.order = append(b.order, shard)
	b.commands[shard]++
}
