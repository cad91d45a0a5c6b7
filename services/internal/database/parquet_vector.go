package database

import (
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/result"
)

// parquetType returns the type to write, without its alias. Parquet has no seconds: they become milliseconds. The
// caller frees it.
func parquetType(t *result.Type) mapping.LogicalType {
	inside := make([]mapping.LogicalType, len(t.Fields))
	names := make([]string, len(t.Fields))
	for i := range t.Fields {
		inside[i], names[i] = parquetType(&t.Fields[i].Type), t.Fields[i].Name
		defer mapping.DestroyLogicalType(&inside[i])
	}
	switch t.Kind {
	case column.Decimal:
		return mapping.CreateDecimalType(t.Width, t.Scale)
	case column.List:
		return mapping.CreateListType(inside[0])
	case column.Map:
		return mapping.CreateMapType(inside[0], inside[1])
	case column.Struct:
		return mapping.CreateStructType(inside, names)
	case column.TimestampS:
		return mapping.CreateLogicalType(mapping.TypeTimestampMS)
	default:
		for id, kind := range kinds {
			if kind == t.Kind {
				return mapping.CreateLogicalType(id)
			}
		}
		return mapping.CreateLogicalType(mapping.TypeInvalid)
	}
}

// fillVector copies n values to a vector of parquetType. The first one's row is a multiple of 64. The bytes of
// texts stay where they are.
func fillVector(to mapping.Vector, t *result.Type, from *result.Vector, row, n int) {
	if n == 0 {
		return
	}
	if from.Valid != nil {
		mapping.VectorEnsureValidityWritable(to)
		words := (n + 63) / 64
		copy(unsafe.Slice((*uint64)(mapping.VectorGetValidity(to)), words), unsafe.Slice(from.Valid, row/64+words)[row/64:])
	}
	fillData(to, t, from, row, n)
	switch t.Kind {
	case column.List, column.Map:
		row, n = 0, from.Inside(row, n)
		mapping.ListVectorReserve(to, mapping.IdxT(n))
		mapping.ListVectorSetSize(to, mapping.IdxT(n))
		if to = mapping.ListVectorGetChild(to); t.Kind == column.List {
			fillVector(to, &t.Fields[0].Type, &from.Children[0], 0, n)
			return
		}
	case column.Struct:
	default:
		return
	}
	for i := range t.Fields {
		fillVector(mapping.StructVectorGetChild(to, mapping.IdxT(i)), &t.Fields[i].Type, &from.Children[i], row, n)
	}
}

func fillData(to mapping.Vector, t *result.Type, from *result.Vector, row, n int) {
	kind := t.Kind
	if kind == column.Decimal {
		kind = t.Physical
	}
	width := kind.Width()
	if width == 0 {
		return
	}
	data := mapping.VectorGetData(to)
	copy(unsafe.Slice((*byte)(data), n*width), unsafe.Slice((*byte)(from.Data), (row+n)*width)[row*width:])
	if kind == column.TimestampS {
		for i, seconds := range unsafe.Slice((*int64)(data), n) {
			unsafe.Slice((*int64)(data), n)[i] = seconds * 1000
		}
	}
}
