package column

import (
	"encoding/binary"
	"unsafe"
)

// Record is DuckDB's string_t: the length, then up to Inline bytes of the string in place. A
// longer one has its first four bytes, and then where it lies: an offset into the heap of a
// Vector, a pointer in DuckDB's own memory.
type Record struct {
	Length uint32
	Prefix [4]byte
	At     uint64
}

const (
	// RecordSize is a Record's size in bytes.
	RecordSize = 16
	// Inline is the length up to which a string lies in its record.
	Inline = 12
)

// Bytes is the string of a record in DuckDB's memory, which owns it.
func (r *Record) Bytes() []byte {
	if r.Length <= Inline {
		return unsafe.Slice(&r.Prefix[0], r.Length)
	}
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&r.At)), r.Length)
}

// Point makes it a record of text as in DuckDB's memory. A long text must stay where it is.
func (r *Record) Point(text []byte) {
	*r = Record{Length: uint32(len(text))}
	if len(text) <= Inline {
		copy(unsafe.Slice(&r.Prefix[0], Inline), text)
		return
	}
	copy(r.Prefix[:], text)
	r.At = uint64(uintptr(unsafe.Pointer(&text[0])))
}

// AppendText adds a string to the column.
func (v *Vector) AppendText(text []byte) {
	var r [RecordSize]byte
	binary.NativeEndian.PutUint32(r[:], uint32(len(text)))
	if len(text) <= Inline {
		copy(r[4:], text)
	} else {
		copy(r[4:8], text)
		binary.NativeEndian.PutUint64(r[8:], uint64(len(v.Heap)))
		v.Heap = append(v.Heap, text...)
	}
	v.Data = append(v.Data, r[:]...)
}

// AppendShort adds the first n bytes of p, at most Inline, of which p has at
// least that many: it takes them all and blanks the rest, which is faster than to
// copy so few.
func (v *Vector) AppendShort(p []byte, n int) {
	head, tail := binary.LittleEndian.Uint32(p), binary.LittleEndian.Uint64(p[4:Inline])
	if n < 4 {
		head, tail = head&(1<<(8*n)-1), 0
	} else {
		tail &= 1<<(8*(n-4)) - 1
	}
	data := binary.NativeEndian.AppendUint32(v.Data, uint32(n))
	data = binary.LittleEndian.AppendUint32(data, head)
	v.Data = binary.LittleEndian.AppendUint64(data, tail)
}

// Text is the string of a row. It aliases the vector.
func (v *Vector) Text(row int) []byte {
	r := v.Data[row*RecordSize : (row+1)*RecordSize]
	n := uint64(binary.NativeEndian.Uint32(r))
	if n <= Inline {
		return r[4 : 4+n]
	}
	at := binary.NativeEndian.Uint64(r[8:])
	return v.Heap[at : at+n]
}

// truncateHeap drops the strings of the records from data on.
func (v *Vector) truncateHeap(data int) {
	if r := v.Data[data:]; binary.NativeEndian.Uint32(r) > Inline {
		v.Heap = v.Heap[:binary.NativeEndian.Uint64(r[8:])]
	}
}
