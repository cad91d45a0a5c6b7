package encode

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

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

// arrowTypes are the types with an equivalent in Arrow.
var arrowTypes = map[column.Kind]arrow.DataType{
	column.Boolean: arrow.FixedWidthTypes.Boolean,
	column.TinyInt: arrow.PrimitiveTypes.Int8, column.SmallInt: arrow.PrimitiveTypes.Int16,
	column.Integer: arrow.PrimitiveTypes.Int32, column.BigInt: arrow.PrimitiveTypes.Int64,
	column.UTinyInt: arrow.PrimitiveTypes.Uint8, column.USmallInt: arrow.PrimitiveTypes.Uint16,
	column.UInteger: arrow.PrimitiveTypes.Uint32, column.UBigInt: arrow.PrimitiveTypes.Uint64,
	column.HugeInt:  &arrow.Decimal128Type{Precision: maxDecimalDigits},
	column.UHugeInt: &arrow.Decimal128Type{Precision: maxDecimalDigits},
	column.Float:    arrow.PrimitiveTypes.Float32, column.Double: arrow.PrimitiveTypes.Float64,
	column.Blob: arrow.BinaryTypes.Binary, column.Date: arrow.FixedWidthTypes.Date32,
	column.Timestamp:   &arrow.TimestampType{Unit: arrow.Microsecond},
	column.TimestampS:  &arrow.TimestampType{Unit: arrow.Second},
	column.TimestampMS: &arrow.TimestampType{Unit: arrow.Millisecond},
	column.TimestampNS: &arrow.TimestampType{Unit: arrow.Nanosecond},
	column.TimestampTZ: arrow.FixedWidthTypes.Timestamp_us,
}

// jsonField marks a text field as JSON (Arrow's canonical extension arrow.json). Some readers can't
// read Parquet's own JSON type as text.
var jsonField = arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{"arrow.json", ""})

func arrowSchema(columns []Column) *arrow.Schema {
	fields := make([]arrow.Field, len(columns))
	for i := range columns {
		fields[i] = arrowField(columns[i].Name, &columns[i].Type)
	}
	return arrow.NewSchema(fields, nil)
}

func arrowField(name string, t *result.Type) arrow.Field {
	f := arrow.Field{Name: name, Type: arrowType(t), Nullable: true}
	if t.Alias == jsonAlias || t.Kind == column.Union {
		f.Metadata = jsonField
	}
	return f
}

// arrowType returns a type's equivalent in Arrow, or text. A union is JSON, for Parquet has no
// unions.
func arrowType(t *result.Type) arrow.DataType {
	switch t.Kind {
	case column.Decimal:
		return &arrow.Decimal128Type{Precision: int32(t.Width), Scale: int32(t.Scale)}
	case column.List, column.Array:
		return arrow.ListOfField(arrowField("item", &t.Fields[0].Type))
	case column.Map:
		key := arrowField("key", &t.Fields[0].Type)
		key.Nullable = false
		return arrow.MapOfFields(key, arrowField("value", &t.Fields[1].Type))
	case column.Struct:
		fields := make([]arrow.Field, len(t.Fields))
		for i := range fields {
			fields[i] = arrowField(t.Fields[i].Name, &t.Fields[i].Type)
		}
		return arrow.StructOf(fields...)
	default:
		if same, ok := arrowTypes[t.Kind]; ok {
			return same
		}
		return arrow.BinaryTypes.String
	}
}

// appendArrow appends n values of a vector.
func appendArrow(to array.Builder, t *result.Type, v *result.Vector, from, n int) error {
	if n == 0 {
		return nil
	}
	valid := make([]bool, n)
	for i := range valid {
		valid[i] = !v.Null(from + i)
	}
	switch b := to.(type) {
	case *array.BooleanBuilder:
		b.AppendValues(slice[bool](v, from, n), valid)
	case *array.Int8Builder:
		b.AppendValues(slice[int8](v, from, n), valid)
	case *array.Int16Builder:
		b.AppendValues(slice[int16](v, from, n), valid)
	case *array.Int32Builder:
		b.AppendValues(slice[int32](v, from, n), valid)
	case *array.Int64Builder:
		b.AppendValues(slice[int64](v, from, n), valid)
	case *array.Uint8Builder:
		b.AppendValues(slice[uint8](v, from, n), valid)
	case *array.Uint16Builder:
		b.AppendValues(slice[uint16](v, from, n), valid)
	case *array.Uint32Builder:
		b.AppendValues(slice[uint32](v, from, n), valid)
	case *array.Uint64Builder:
		b.AppendValues(slice[uint64](v, from, n), valid)
	case *array.Float32Builder:
		b.AppendValues(slice[float32](v, from, n), valid)
	case *array.Float64Builder:
		b.AppendValues(slice[float64](v, from, n), valid)
	case *array.Date32Builder:
		b.AppendValues(slice[arrow.Date32](v, from, n), maskInfinite(v, from, valid))
	case *array.TimestampBuilder:
		b.AppendValues(slice[arrow.Timestamp](v, from, n), maskInfinite(v, from, valid))
	case *array.StructBuilder:
		b.AppendValues(valid)
		for i := range t.Fields {
			if err := appendArrow(b.FieldBuilder(i), &t.Fields[i].Type, &v.Children[i], from, n); err != nil {
				return err
			}
		}
	case *array.StringBuilder:
		appendTexts(b, t, v, from, valid)
	default:
		for i, ok := range valid {
			if !ok {
				to.AppendNull()
			} else if err := appendScalar(to, t, v, from+i); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendTexts appends the text of values.
func appendTexts(to *array.StringBuilder, t *result.Type, v *result.Vector, from int, valid []bool) {
	plain, text, size := v.Kind == column.Varchar && t.Alias != jsonAlias, []byte(nil), 0
	to.Reserve(len(valid))
	if plain {
		for i, ok := range valid {
			if ok {
				size += len(v.Bytes(from + i))
			}
		}
		to.ReserveData(size)
	}
	for i, ok := range valid {
		switch {
		case !ok:
			to.AppendNull()
		case plain:
			to.BinaryBuilder.Append(v.Bytes(from + i))
		default:
			text = AppendText(text[:0], t, v, from+i)
			to.BinaryBuilder.Append(text)
		}
	}
}

func slice[T any](v *result.Vector, from, n int) []T { return result.Values[T](*v, from+n)[from:] }

// maskInfinite marks infinite dates and times as NULL, for Arrow has none.
func maskInfinite(v *result.Vector, from int, valid []bool) []bool {
	for i := range valid {
		if v.Kind == column.Date {
			n := result.At[int32](*v, from+i)
			valid[i] = valid[i] && n != 1<<31-1 && n != -(1<<31-1)
			continue
		}
		n := result.At[int64](*v, from+i)
		valid[i] = valid[i] && n != 1<<63-1 && n != -(1<<63-1)
	}
	return valid
}

// appendScalar appends the value of row i, which is not NULL.
func appendScalar(to array.Builder, t *result.Type, v *result.Vector, i int) error {
	switch b := to.(type) {
	case *array.BinaryBuilder:
		b.Append(v.Bytes(i))
	case *array.Decimal128Builder:
		n, err := decimalOf(t, v, i)
		if err != nil {
			return err
		}
		b.Append(n)
	case *array.MapBuilder: // before ListBuilder, which it embeds
		b.Append(true)
		span := result.At[result.ListEntry](*v, i)
		if err := appendArrow(b.KeyBuilder(), &t.Fields[0].Type, &v.Children[0], int(span.Offset), int(span.Length)); err != nil {
			return err
		}
		return appendArrow(b.ItemBuilder(), &t.Fields[1].Type, &v.Children[1], int(span.Offset), int(span.Length))
	case *array.ListBuilder:
		b.Append(true)
		from, n := i*t.Size, t.Size
		if v.Kind == column.List {
			span := result.At[result.ListEntry](*v, i)
			from, n = int(span.Offset), int(span.Length)
		}
		return appendArrow(b.ValueBuilder(), &t.Fields[0].Type, &v.Children[0], from, n)
	default:
		return fmt.Errorf("no values for a builder of %s", to.Type())
	}
	return nil
}

// decimalOf returns a decimal, or an integer of 128 bits, as an Arrow decimal.
func decimalOf(t *result.Type, v *result.Vector, i int) (decimal128.Num, error) {
	kind := v.Kind
	if kind == column.Decimal {
		kind = t.Physical
	}
	h := v.Integer(kind, i)
	n := decimal128.New(h.High, h.Low)
	if v.Kind == column.UHugeInt && h.High < 0 || v.Kind != column.Decimal && !n.FitsInPrecision(maxDecimalDigits) {
		return n, errPrecision
	}
	return n, nil
}
