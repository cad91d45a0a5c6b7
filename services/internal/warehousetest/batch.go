package warehousetest

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// Batch builds a batch value by value, without a decoder.
type Batch struct{ *contract.Batch }

// NewBatch returns an empty batch of the contract.
func NewBatch(c *contract.Contract, shard int) Batch {
	b := &contract.Batch{Contract: c, Shard: shard, Columns: make([]column.Vector, len(c.Columns))}
	for i, column := range c.Columns {
		b.Columns[i].Type = column.Type
	}
	return Batch{b}
}

// Add appends a row with the given ID and line, and raises Last to the ID; a nil value is NULL.
func (b Batch) Add(id event.ID, line uint32, values ...any) Batch {
	for i, value := range values {
		appendTo(&b.Columns[i], b.Rows, value)
	}
	b.MS, b.Seq, b.Line = append(b.MS, id.MS), append(b.Seq, id.Seq), append(b.Line, line)
	var key []any
	for _, k := range b.Contract.Key {
		key = append(key, values[k])
	}
	b.Hashes = append(b.Hashes, xxh3.HashString(fmt.Sprint(key...)))
	b.Rows++
	b.reach(id)
	return b
}

// Reject appends a reject.
func (b Batch) Reject(id event.ID, line uint32, payload string, violations ...event.Violation) Batch {
	b.Rejects = append(b.Rejects, event.Reject{ID: id, Line: line, Payload: []byte(payload), Violations: violations})
	b.reach(id)
	return b
}

func (b Batch) reach(id event.ID) {
	if id.Compare(b.Last) > 0 {
		b.Last = id
	}
}

func appendTo(v *column.Vector, row int, value any) {
	if value == nil && v.Nulls == nil {
		v.Nulls = make([]uint8, row)
	}
	if value == nil {
		v.Nulls = append(v.Nulls, 1)
		v.Data = append(v.Data, make([]byte, v.Type.Width())...)
		return
	}
	if v.Nulls != nil {
		v.Nulls = append(v.Nulls, 0)
	}
	appendValue(v, value)
}

func appendValue(v *column.Vector, value any) {
	order := binary.NativeEndian
	switch x := value.(type) {
	case string:
		appendString(v, x)
	case bool:
		v.Data = append(v.Data, map[bool]byte{true: 1}[x])
	case int:
		var buf [8]byte
		order.PutUint64(buf[:], uint64(x))
		v.Data = append(v.Data, buf[:v.Type.Width()]...)
	case float64:
		v.Data = order.AppendUint64(v.Data, math.Float64bits(x))
	case time.Time:
		v.Data = order.AppendUint64(v.Data, uint64(x.UnixMicro()))
	case [16]byte:
		v.Data = order.AppendUint64(v.Data, binary.BigEndian.Uint64(x[8:]))
		v.Data = order.AppendUint64(v.Data, binary.BigEndian.Uint64(x[:8])^1<<63)
	default:
		panic(fmt.Sprintf("no column holds a %T", value))
	}
}

func appendString(v *column.Vector, s string) {
	var record [16]byte
	binary.NativeEndian.PutUint32(record[:], uint32(len(s)))
	copy(record[4:], s[:min(len(s), 12)])
	if len(s) > 12 {
		binary.NativeEndian.PutUint64(record[8:], uint64(len(v.Heap)))
		v.Heap = append(v.Heap, s...)
	}
	v.Data = append(v.Data, record[:]...)
}
