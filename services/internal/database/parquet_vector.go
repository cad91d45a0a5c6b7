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

// fillColumn copies n values to a vector of a chunk, or makes it a reference to their copy: what is inside of lists can't be
// reserved in the chunk, for beyond the instance's memory limit that ends the process. COPY fails as it should.
func fillColumn(to mapping.Vector, t *result.Type, from *result.Vector, row, n int) {
	if len(t.Fields) == 0 {
		fillVector(to, t, from, row, n)
		return
	}
	logical := parquetType(t)
	defer mapping.DestroyLogicalType(&logical)
	filled := mapping.CreateVector(logical, VectorSize)
	defer mapping.DestroyVector(&filled)
	fillVector(filled, t, from, row, n)
	mapping.VectorReferenceVector(to, filled)
}

// fillVector copies n values to a vector of parquetType. The bytes of texts stay where they are.
func fillVector(to mapping.Vector, t *result.Type, from *result.Vector, row, n int) {
	if n == 0 {
		return
	}
	if from.Valid != nil {
		mapping.VectorEnsureValidityWritable(to)
		copyBits(unsafe.Slice((*uint64)(mapping.VectorGetValidity(to)), (n+63)/64), unsafe.Slice(from.Valid, (row+n+63)/64), row)
	}
	fillData(to, t, from, row, n)
	switch t.Kind {
	case column.List, column.Map:
		row, n = fillEntries(to, from, row, n)
		mapping.ListVectorReserve(to, mapping.IdxT(n))
		mapping.ListVectorSetSize(to, mapping.IdxT(n))
		if to = mapping.ListVectorGetChild(to); t.Kind == column.List {
			fillVector(to, &t.Fields[0].Type, &from.Children[0], row, n)
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

// copyBits copies bits from the one with the number row on, as far as there are.
func copyBits(to, from []uint64, row int) {
	for i := range to {
		at, shift := row/64+i, row%64
		to[i] = from[at] >> shift
		if shift > 0 && at+1 < len(from) {
			to[i] |= from[at+1] << (64 - shift)
		}
	}
}

// fillEntries writes where each of n lists is, in a vector of the values from the first of theirs to the last. It
// returns which these are.
func fillEntries(to mapping.Vector, from *result.Vector, row, n int) (first, values int) {
	lists := unsafe.Slice((*result.ListEntry)(mapping.VectorGetData(to)), n)
	begin, end := ^uint64(0), uint64(0)
	for i := range lists {
		lists[i] = result.ListEntry{}
		if e := result.At[result.ListEntry](*from, row+i); !from.Null(row+i) && e.Length > 0 {
			lists[i], begin, end = e, min(begin, e.Offset), max(end, e.Offset+e.Length)
		}
	}
	if end == 0 {
		return 0, 0
	}
	for i := range lists {
		if lists[i].Length > 0 {
			lists[i].Offset -= begin
		}
	}
	return int(begin), int(end - begin)
}

func fillData(to mapping.Vector, t *result.Type, from *result.Vector, row, n int) {
	kind := t.Kind
	if kind == column.Decimal {
		kind = t.Physical
	}
	width := kind.Width()
	if width == 0 || kind == column.List || kind == column.Map {
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
