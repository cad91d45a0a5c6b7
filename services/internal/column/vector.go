package column

import (
	"encoding/binary"
	"math"
)

// Vector is one column of a batch in the memory layout of a DuckDB vector, so
// that a commit copies columns and not values.
//
// A string is a Record; one longer than Inline has its offset in Heap, which the
// warehouse turns into a pointer.
type Vector struct {
	Type Kind
	// Data holds Type.Width() bytes a row, in the machine's byte order.
	Data []byte
	// Heap holds the strings longer than Inline.
	Heap []byte
	// Nulls has one byte a row, 1 for NULL; it is nil while no row is NULL.
	Nulls []uint8
	spare []uint8 // Nulls of before a Reset
}

// AppendInt adds a number of the column's width. It fits: the contract's bounds
// decided the width.
func (v *Vector) AppendInt(n int64) {
	switch v.Type.Width() {
	case 1:
		v.Data = append(v.Data, byte(n))
	case 2:
		v.Data = binary.NativeEndian.AppendUint16(v.Data, uint16(n))
	case 4:
		v.Data = binary.NativeEndian.AppendUint32(v.Data, uint32(n))
	default:
		v.Data = binary.NativeEndian.AppendUint64(v.Data, uint64(n))
	}
}

// AppendDouble adds a float64.
func (v *Vector) AppendDouble(x float64) {
	v.Data = binary.NativeEndian.AppendUint64(v.Data, math.Float64bits(x))
}

// AppendBool adds a boolean.
func (v *Vector) AppendBool(yes bool) {
	if yes {
		v.Data = append(v.Data, 1)
	} else {
		v.Data = append(v.Data, 0)
	}
}

// AppendNull adds NULL as row number row; its data is zero.
func (v *Vector) AppendNull(row int) {
	v.Data = append(v.Data, zeros[:v.Type.Width()]...)
	if v.Nulls == nil {
		v.Nulls = append(v.spare[:0], make([]uint8, row)...)
		v.spare = nil
	}
	v.Nulls = append(v.Nulls, 1)
}

var zeros [RecordSize]byte

// Truncate drops what was added to the column since it had that many rows.
func (v *Vector) Truncate(rows int) {
	size := rows * v.Type.Width()
	if v.Nulls != nil && len(v.Nulls) > rows {
		v.Nulls = v.Nulls[:rows]
	}
	if len(v.Data) <= size {
		return
	}
	if v.Type.IsText() {
		v.truncateHeap(size)
	}
	v.Data = v.Data[:size]
}

// Int is the integer of a row.
func (v *Vector) Int(row int) int64 {
	width := v.Type.Width()
	switch r := v.Data[row*width:]; width {
	case 1:
		return int64(int8(r[0]))
	case 2:
		return int64(int16(binary.NativeEndian.Uint16(r)))
	case 4:
		return int64(int32(binary.NativeEndian.Uint32(r)))
	default:
		return int64(binary.NativeEndian.Uint64(r))
	}
}

// AppendRow copies row i of another vector as row number row.
func (v *Vector) AppendRow(row int, from *Vector, i int) {
	if from.Nulls != nil && from.Nulls[i] == 1 {
		v.AppendNull(row)
		return
	}
	if v.Type.IsText() {
		v.AppendText(from.Text(i))
	} else {
		width := v.Type.Width()
		v.Data = append(v.Data, from.Data[i*width:(i+1)*width]...)
	}
	if v.Nulls != nil {
		v.Nulls = append(v.Nulls, 0)
	}
}

// Reset empties the vector and keeps its memory.
func (v *Vector) Reset() {
	v.Data, v.Heap = v.Data[:0], v.Heap[:0]
	if v.Nulls != nil {
		v.spare, v.Nulls = v.Nulls[:0], nil
	}
}

// Remove drops the rows whose indexes are given in ascending order.
func (v *Vector) Remove(rows []int) {
	v.Data = Without(v.Data, rows, v.Type.Width())
	if v.Nulls != nil {
		v.Nulls = Without(v.Nulls, rows, 1)
	}
}

// Without drops rows, given in ascending order, of that many values each: it closes the gaps
// that they leave, in place.
func Without[T any](values []T, rows []int, width int) []T {
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
