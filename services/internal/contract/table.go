package contract

import (
	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/event"
)

// NewBatch makes an empty batch with room for rows rows.
func (c *Contract) NewBatch(shard, rows int) *Batch {
	b := &Batch{
		Contract: c, Shard: shard,
		Columns: make([]column.Vector, len(c.Columns)),
		MS:      make([]uint64, 0, rows),
		Seq:     make([]uint64, 0, rows),
		Line:    make([]uint32, 0, rows),
		Hashes:  make([]uint64, 0, rows),
	}
	for i, property := range c.Columns {
		// Eight bytes at least, so that the allocator aligns them to eight.
		b.Columns[i] = column.Vector{Type: property.Type, Data: make([]byte, 0, max(8, rows*property.Type.Width()))}
	}
	return b
}

// Reset empties the batch and keeps its memory. What was taken from it without
// a copy (columns, Rejects) is overwritten by what comes next; the payloads of
// rejects are not.
func (b *Batch) Reset() {
	for i := range b.Columns {
		b.Columns[i].Reset()
	}
	clear(b.Rejects)
	*b = Batch{
		Contract: b.Contract, Shard: b.Shard, Columns: b.Columns,
		MS: b.MS[:0], Seq: b.Seq[:0], Line: b.Line[:0], Hashes: b.Hashes[:0],
		Rejects: b.Rejects[:0], Traces: b.Traces[:0],
	}
}

// Remove drops the rows whose indexes are given in ascending order.
func (b *Batch) Remove(rows []int) {
	if len(rows) == 0 {
		return
	}
	for i := range b.Columns {
		b.Columns[i].Remove(rows)
	}
	b.MS, b.Seq = column.Without(b.MS, rows, 1), column.Without(b.Seq, rows, 1)
	b.Line, b.Hashes = column.Without(b.Line, rows, 1), column.Without(b.Hashes, rows, 1)
	b.Rows = len(b.MS)
}

// Append copies row i of from, a batch of the same contract, to the end of b.
func (b *Batch) Append(from *Batch, i int) {
	for c := range b.Columns {
		b.Columns[c].AppendRow(b.Rows, &from.Columns[c], i)
	}
	b.add(event.ID{MS: from.MS[i], Seq: from.Seq[i]}, from.Line[i], from.Hashes[i])
}

// add ends a row whose columns are filled.
func (b *Batch) add(id event.ID, line uint32, hash uint64) {
	b.MS, b.Seq = append(b.MS, id.MS), append(b.Seq, id.Seq)
	b.Line, b.Hashes = append(b.Line, line), append(b.Hashes, hash)
	b.Rows++
}

// undo drops what was added to the columns since the last whole row.
func (b *Batch) undo() {
	for i := range b.Columns {
		b.Columns[i].Truncate(b.Rows)
	}
}

// KeyString is the key of row i as text, for lookups and messages; see [KeyText].
func (b *Batch) KeyString(i int) string {
	parts := make([]string, len(b.Contract.Key))
	for n, c := range b.Contract.Key {
		parts[n] = b.Columns[c].Format(i)
	}
	return KeyText(parts)
}

// PartitionString is the partition of row i as text, for Shard; "" without one.
func (b *Batch) PartitionString(i int) string {
	if b.Contract.Partition < 0 {
		return ""
	}
	return b.Columns[b.Contract.Partition].Format(i)
}

// keyHash is the hash of row i's key, 0 without one.
func (b *Batch) keyHash(i int) uint64 {
	var hash uint64
	for n, c := range b.Contract.Key {
		if n == 0 {
			hash = b.Columns[c].Hash(i)
		} else {
			hash = column.CombineHash(hash, b.Columns[c].Hash(i))
		}
	}
	return hash
}
