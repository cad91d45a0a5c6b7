package database

import (
	"bytes"
	"errors"
	"fmt"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/column"
)

// Values are the values to append to one column, laid out like column.Vector.
type Values struct {
	Nulls []uint8 // a 1 for every row that is NULL; nil if none is
	data  []byte
	width int
	heap  []byte
	Null  bool // every row is NULL
	text  bool // data are records of strings that may lie in heap
	same  bool // data is one value, every row's
}

// Vector returns the values of a vector, whose memory they share.
func Vector(v *column.Vector) Values {
	return Values{
		Nulls: v.Nulls, data: v.Data, width: v.Type.Width(), heap: v.Heap, text: v.Type.IsText(),
	}
}

// Gather copies the values of the given rows of a vector without NULLs.
func Gather(v *column.Vector, rows []int) Values {
	s := Vector(v)
	s.Nulls, s.data = nil, make([]byte, 0, len(rows)*s.width)
	for _, row := range rows {
		s.data = append(s.data, v.Data[row*s.width:(row+1)*s.width]...)
	}
	return s
}

// Numbers returns values of a Go type with the column type's memory layout.
func Numbers[T any](values []T) Values {
	var zero T
	width := int(unsafe.Sizeof(zero))
	if len(values) == 0 {
		return Values{width: width}
	}
	return Values{data: unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*width), width: width}
}

// Constant returns the same value for every row.
func Constant[T any](value T) Values {
	s := Numbers([]T{value})
	s.same = true
	return s
}

// ConstantText returns the same text for every row.
func ConstantText(text string) Values {
	v := column.Vector{Type: column.Varchar}
	v.AppendText([]byte(text))
	s := Vector(&v)
	s.same = true
	return s
}

// fill copies n values, starting at index from, into vector.
func (s *Values) fill(vector mapping.Vector, from, n int) error {
	if s.Null {
		mask := validity(vector)
		clear(mask[:(n+63)/64])
		return nil
	}
	data := mapping.VectorGetData(vector)
	if err := s.copyTo(unsafe.Slice((*byte)(data), n*s.width), from, n); err != nil {
		return err
	}
	if s.Nulls != nil && len(s.Nulls) < from+n {
		return fmt.Errorf("has %d marks of NULL for %d rows", len(s.Nulls), from+n)
	}
	nulls := s.nullsOf(from, n)
	if nulls != nil {
		mask := validity(vector)
		for i, null := range nulls {
			mask[i/64] &^= uint64(null) << (i % 64)
		}
	}
	if s.text {
		return s.point(unsafe.Slice((*column.Record)(data), n), nulls)
	}
	return nil
}

func (s *Values) copyTo(dst []byte, from, n int) error {
	if s.same {
		for i := range n {
			copy(dst[i*s.width:], s.data)
		}
		return nil
	}
	if len(s.data) < (from+n)*s.width {
		return fmt.Errorf("has %d bytes for %d rows", len(s.data), from+n)
	}
	copy(dst, s.data[from*s.width:])
	return nil
}

// nullsOf returns the NULL marks of n rows, nil if none is NULL.
func (s *Values) nullsOf(from, n int) []uint8 {
	if s.Nulls == nil || bytes.IndexByte(s.Nulls[from:from+n], 1) < 0 {
		return nil
	}
	return s.Nulls[from : from+n]
}

// point converts the offsets of long strings to pointers into the pinned heap.
func (s *Values) point(records []column.Record, nulls []uint8) error {
	base := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s.heap))))
	for i := range records {
		r := &records[i]
		switch {
		case nulls != nil && nulls[i] == 1:
			*r = column.Record{}
		case r.Length <= column.Inline:
		case r.At+uint64(r.Length) > uint64(len(s.heap)):
			return errors.New("a string lies outside the heap")
		default:
			r.At += base
		}
	}
	return nil
}

// validity returns the vector's mask: a bit a row, 0 for NULL, all 1 at first.
func validity(vector mapping.Vector) []uint64 {
	mapping.VectorEnsureValidityWritable(vector)
	return unsafe.Slice((*uint64)(mapping.VectorGetValidity(vector)), VectorSize/64)
}
