package contract

// NewBatch makes an empty batch with room for rows rows.
func (c *Contract) NewBatch(shard, rows int) *Batch {
	b := &Batch{
		Contract: c, Shard: shard,
		Columns: make([]Vector, len(c.Columns)),
		MS:      make([]uint64, 0, rows),
		Seq:     make([]uint64, 0, rows),
		Line:    make([]uint32, 0, rows),
		Hashes:  make([]uint64, 0, rows),
	}
	for i, column := range c.Columns {
		// Eight bytes at least, so that the allocator aligns them to eight.
		b.Columns[i] = Vector{Type: column.Type, Data: make([]byte, 0, max(8, rows*column.Type.Width()))}
	}
	return b
}

// Reset empties the batch and keeps its memory. What was taken from it without
// a copy (columns, Rejects) is overwritten by what comes next; the payloads of
// rejects are not.
func (b *Batch) Reset() {
	for i := range b.Columns {
		v := &b.Columns[i]
		v.Data, v.Heap = v.Data[:0], v.Heap[:0]
		if v.Nulls != nil {
			v.spare, v.Nulls = v.Nulls[:0], nil
		}
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
		v := &b.Columns[i]
		v.Data = without(v.Data, rows, v.Type.Width())
		if v.Nulls != nil {
			v.Nulls = without(v.Nulls, rows, 1)
		}
	}
	b.MS, b.Seq = without(b.MS, rows, 1), without(b.Seq, rows, 1)
	b.Line, b.Hashes = without(b.Line, rows, 1), without(b.Hashes, rows, 1)
	b.Rows = len(b.MS)
}

// without closes the gaps that the given rows, of that many values each, leave.
func without[T any](values []T, rows []int, width int) []T {
	to := rows[0] * width
	for i, row := range rows {
		next := len(values)
		if i+1 < len(rows) {
			next = rows[i+1] * width
		}
		if from := (row + 1) * width; from < next {
			to += copy(values[to:], values[from:next])
		}
	}
	return values[:to]
}

// Append copies row i of from, a batch of the same contract, to the end of b.
func (b *Batch) Append(from *Batch, i int) {
	for c := range b.Columns {
		b.Columns[c].appendRow(b.Rows, &from.Columns[c], i)
	}
	b.add(ID{from.MS[i], from.Seq[i]}, from.Line[i], from.Hashes[i])
}

// appendRow copies row i of another vector as row number row.
func (v *Vector) appendRow(row int, from *Vector, i int) {
	if from.Nulls != nil && from.Nulls[i] == 1 {
		v.appendNull(row)
		return
	}
	if v.Type == Varchar || v.Type == JSON {
		v.appendText(from.text(i))
	} else {
		width := v.Type.Width()
		v.Data = append(v.Data, from.Data[i*width:(i+1)*width]...)
	}
	if v.Nulls != nil {
		v.Nulls = append(v.Nulls, 0)
	}
}

// add ends a row whose columns are filled.
func (b *Batch) add(id ID, line uint32, hash uint64) {
	b.MS, b.Seq = append(b.MS, id.MS), append(b.Seq, id.Seq)
	b.Line, b.Hashes = append(b.Line, line), append(b.Hashes, hash)
	b.Rows++
}

// undo drops what was added to the columns since the last whole row.
func (b *Batch) undo() {
	for i := range b.Columns {
		b.Columns[i].truncate(b.Rows)
	}
}

// KeyString is the key of row i as text, for look-ups and messages.
func (b *Batch) KeyString(i int) string { return b.Columns[b.Contract.Key].string(i) }

// PartitionString is the partition of row i as text, for Shard.
func (b *Batch) PartitionString(i int) string { return b.Columns[b.Contract.Partition].string(i) }
