package encode

import (
	"errors"
	"runtime"
	"unsafe"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/result"
)

// maxDecimalDigits is the number of digits of the widest decimal that all readers support.
const maxDecimalDigits = 38

// errPrecision is a number with more digits.
var errPrecision = errors.New("a number of 39 digits, and decimals in Arrow and Parquet have up to 38")

// PrecisionError is a column with a number of too many digits for Arrow and Parquet.
type PrecisionError struct{ Column string }

func (e *PrecisionError) Error() string {
	return "The column " + e.Column + " has " + errPrecision.Error()
}

func (*PrecisionError) Unwrap() error { return errPrecision }

// plainColumns returns columns whose types are those of Arrow and Parquet.
func plainColumns(columns []Column) []result.Field {
	plain := make([]result.Field, len(columns))
	for i := range columns {
		plain[i] = result.Field{Name: columns[i].Name, Type: plainType(&columns[i].Type)}
	}
	return plain
}

// plainType returns a type's equivalent in Arrow and Parquet, or text. A union is JSON, for Parquet has
// no unions.
func plainType(t *result.Type) result.Type {
	switch t.Kind {
	case column.Boolean, column.TinyInt, column.SmallInt, column.Integer, column.BigInt,
		column.UTinyInt, column.USmallInt, column.UInteger, column.UBigInt, column.Float, column.Double, column.Decimal,
		column.Blob, column.Date, column.Timestamp, column.TimestampS, column.TimestampMS, column.TimestampNS, column.TimestampTZ:
		return result.Type{Kind: t.Kind, Physical: t.Physical, Width: t.Width, Scale: t.Scale}
	case column.HugeInt, column.UHugeInt:
		return result.Type{Kind: column.Decimal, Physical: column.HugeInt, Width: maxDecimalDigits}
	case column.List, column.Array, column.Map, column.Struct:
		plain := result.Type{Kind: t.Kind, Fields: make([]result.Field, len(t.Fields))}
		if t.Kind == column.Array {
			plain.Kind = column.List
		}
		for i := range t.Fields {
			plain.Fields[i] = result.Field{Name: t.Fields[i].Name, Type: plainType(&t.Fields[i].Type)}
		}
		return plain
	case column.Union:
		return result.Type{Kind: column.Varchar, Alias: jsonAlias}
	default:
		text := result.Type{Kind: column.Varchar}
		if t.Alias == jsonAlias {
			text.Alias = jsonAlias
		}
		return text
	}
}

// plainer converts vectors to their plain types. What they need no change in they share.
type plainer struct {
	columns []Column
	vectors []result.Vector
	pins    runtime.Pinner // texts, to which records point
}

// convert converts the first n rows of a chunk, until the next call. A number with too many digits is a
// *PrecisionError.
func (p *plainer) convert(chunk *result.Chunk, n int) ([]result.Vector, error) {
	p.release()
	p.vectors = p.vectors[:0]
	for i := range p.columns {
		v, err := p.vector(&p.columns[i].Type, &chunk.Vectors[i], n)
		if err != nil {
			return nil, &PrecisionError{Column: p.columns[i].Name}
		}
		p.vectors = append(p.vectors, v)
	}
	return p.vectors, nil
}

// release frees the texts.
func (p *plainer) release() { p.pins.Unpin() }

func (p *plainer) vector(t *result.Type, v *result.Vector, n int) (result.Vector, error) {
	switch t.Kind {
	case column.Boolean, column.TinyInt, column.SmallInt, column.Integer, column.BigInt,
		column.UTinyInt, column.USmallInt, column.UInteger, column.UBigInt, column.Float, column.Double, column.Decimal,
		column.Blob:
		return *v, nil
	case column.Date, column.Timestamp, column.TimestampS, column.TimestampMS, column.TimestampNS, column.TimestampTZ:
		return maskInfinite(v, n), nil
	case column.HugeInt, column.UHugeInt:
		return *v, checkDigits(v, n)
	case column.List, column.Map:
		return p.nested(t, v, v.Data, v.Inside(0, n))
	case column.Array:
		entries := make([]result.ListEntry, n)
		for i := range entries {
			entries[i] = result.ListEntry{Offset: uint64(i * t.Size), Length: uint64(t.Size)}
		}
		return p.nested(t, v, unsafe.Pointer(unsafe.SliceData(entries)), n*t.Size)
	case column.Struct:
		return p.nested(t, v, nil, n)
	case column.Varchar:
		if t.Alias != jsonAlias {
			return *v, nil
		}
	default:
	}
	return p.text(t, v, n), nil
}

// nested converts the n values in each of the vectors inside.
func (p *plainer) nested(t *result.Type, v *result.Vector, data unsafe.Pointer, n int) (result.Vector, error) {
	plain := result.Vector{Kind: plainType(t).Kind, Data: data, Valid: v.Valid, Children: make([]result.Vector, len(t.Fields))}
	for i := range t.Fields {
		var err error
		if plain.Children[i], err = p.vector(&t.Fields[i].Type, &v.Children[i], n); err != nil {
			return plain, err
		}
	}
	return plain, nil
}

// text converts values to their text.
func (p *plainer) text(t *result.Type, v *result.Vector, n int) result.Vector {
	records, heap, ends := make([]column.Record, n), []byte(nil), make([]int, n)
	for i := range n {
		heap = AppendText(heap, t, v, i)
		ends[i] = len(heap)
	}
	if len(heap) > 0 {
		p.pins.Pin(&heap[0])
	}
	start := 0
	for i, end := range ends {
		records[i].Point(heap[start:end])
		start = end
	}
	return result.Vector{Kind: column.Varchar, Data: unsafe.Pointer(unsafe.SliceData(records)), Valid: v.Valid}
}

// maskInfinite marks infinite dates and times as NULL, for Arrow and Parquet have none.
func maskInfinite(v *result.Vector, n int) result.Vector {
	masked, own := *v, []uint64(nil)
	for i := range n {
		if !infinite(v, i) || v.Null(i) {
			continue
		}
		if own == nil {
			own = make([]uint64, (n+63)/64)
			if v.Valid != nil {
				copy(own, unsafe.Slice(v.Valid, len(own)))
			} else {
				for word := range own {
					own[word] = ^uint64(0)
				}
			}
			masked.Valid = &own[0]
		}
		own[i/64] &^= 1 << (i % 64)
	}
	return masked
}

func infinite(v *result.Vector, i int) bool {
	if v.Kind == column.Date {
		n := result.At[int32](*v, i)
		return n == 1<<31-1 || n == -(1<<31-1)
	}
	n := result.At[int64](*v, i)
	return n == 1<<63-1 || n == -(1<<63-1)
}

// checkDigits returns errPrecision if an integer of 128 bits has too many digits.
func checkDigits(v *result.Vector, n int) error {
	for i := range n {
		if v.Null(i) {
			continue
		}
		h := result.At[result.Int128](*v, i)
		if v.Kind == column.UHugeInt && h.High < 0 || !h.FitsDecimal() {
			return errPrecision
		}
	}
	return nil
}
