package database

import (
	"bytes"
	"errors"
	"fmt"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/column"
)

// Values are what one column of a table is filled with. Their layout is that of
// column.Vector.
type Values struct {
	Nulls []uint8 // a 1 for every row that is NULL; nil if none is
	data  []byte
	width int
	heap  []byte
	Null  bool // every row is NULL
	text  bool // data are records of strings that may lie in heap
	same  bool // data is one value, every row's
}

// Vector are the values of a column, which it shares.
func Vector(v *column.Vector) Values {
	return Values{
		Nulls: v.Nulls, data: v.Data, width: v.Type.Width(), heap: v.Heap, text: v.Type.IsText(),
	}
}

// Gather are the values of the given rows of a vector that has no NULL.
func Gather(v *column.Vector, rows []int) Values {
	s := Vector(v)
	s.Nulls, s.data = nil, make([]byte, 0, len(rows)*s.width)
	for _, row := range rows {
		s.data = append(s.data, v.Data[row*s.width:(row+1)*s.width]...)
	}
	return s
}

// Numbers are values of a Go type that lies in memory as the column's does.
func Numbers[T any](values []T) Values {
	var zero T
	width := int(unsafe.Sizeof(zero))
	if len(values) == 0 {
		return Values{width: width}
	}
	return Values{data: unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*width), width: width}
}

// Constant is one value for every row.
func Constant[T any](value T) Values {
	s := Numbers([]T{value})
	s.same = true
	return s
}

// ConstantText is one text for every row.
func ConstantText(text string) Values {
	v := column.Vector{Type: column.Varchar}
	v.AppendText([]byte(text))
	s := Vector(&v)
	s.same = true
	return s
}

// fill writes n values, the first at index from, into vector.
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

// nullsOf are the NULL marks of the rows, nil if none of them is NULL.
func (s *Values) nullsOf(from, n int) []uint8 {
	if s.Nulls == nil || bytes.IndexByte(s.Nulls[from:from+n], 1) < 0 {
		return nil
	}
	return s.Nulls[from : from+n]
}

// point turns the offsets of long strings into pointers into the pinned heap.
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

// validity is the vector's mask: a bit a row, 0 for NULL. All are 1 at first.
func validity(vector mapping.Vector) []uint64 {
	mapping.VectorEnsureValidityWritable(vector)
	return unsafe.Slice((*uint64)(mapping.VectorGetValidity(vector)), VectorSize/64)
}
