package database

import (
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/result"
)

// kinds are the supported types.
var kinds = map[mapping.Type]column.Kind{
	mapping.TypeBoolean: column.Boolean,
	mapping.TypeTinyInt: column.TinyInt, mapping.TypeSmallInt: column.SmallInt,
	mapping.TypeInteger: column.Integer, mapping.TypeBigInt: column.BigInt,
	mapping.TypeUTinyInt: column.UTinyInt, mapping.TypeUSmallInt: column.USmallInt,
	mapping.TypeUInteger: column.UInteger, mapping.TypeUBigInt: column.UBigInt,
	mapping.TypeHugeInt: column.HugeInt, mapping.TypeUHugeInt: column.UHugeInt,
	mapping.TypeFloat: column.Float, mapping.TypeDouble: column.Double, mapping.TypeDecimal: column.Decimal,
	mapping.TypeVarchar: column.Varchar, mapping.TypeBlob: column.Blob,
	mapping.TypeUUID: column.UUID, mapping.TypeEnum: column.Enum,
	mapping.TypeDate: column.Date, mapping.TypeInterval: column.Interval,
	mapping.TypeTime: column.Time, mapping.TypeTimeNS: column.TimeNS, mapping.TypeTimeTZ: column.TimeTZ,
	mapping.TypeTimestamp: column.Timestamp, mapping.TypeTimestampTZ: column.TimestampTZ,
	mapping.TypeTimestampS: column.TimestampS, mapping.TypeTimestampMS: column.TimestampMS, mapping.TypeTimestampNS: column.TimestampNS,
	mapping.TypeList: column.List, mapping.TypeArray: column.Array, mapping.TypeMap: column.Map,
	mapping.TypeStruct: column.Struct, mapping.TypeUnion: column.Union,
}

// consumeType converts and frees the type.
func consumeType(logical mapping.LogicalType) result.Type {
	defer mapping.DestroyLogicalType(&logical)
	return typeOf(logical)
}

func typeOf(logical mapping.LogicalType) result.Type {
	id := mapping.GetTypeId(logical)
	t := result.Type{Kind: kinds[id], Alias: mapping.LogicalTypeGetAlias(logical)}
	inside := func(name string, inner mapping.LogicalType) {
		t.Fields = append(t.Fields, result.Field{Name: name, Type: consumeType(inner)})
	}
	switch t.Kind {
	case column.Decimal:
		t.Physical = kinds[mapping.DecimalInternalType(logical)]
		t.Width, t.Scale = mapping.DecimalWidth(logical), mapping.DecimalScale(logical)
	case column.Enum:
		t.Physical = kinds[mapping.EnumInternalType(logical)]
		for i := range mapping.IdxT(mapping.EnumDictionarySize(logical)) {
			t.Dictionary = append(t.Dictionary, mapping.EnumDictionaryValue(logical, i))
		}
	case column.List:
		inside("", mapping.ListTypeChildType(logical))
	case column.Array:
		t.Size = int(mapping.ArrayTypeArraySize(logical))
		inside("", mapping.ArrayTypeChildType(logical))
	case column.Map:
		inside("", mapping.MapTypeKeyType(logical))
		inside("", mapping.MapTypeValueType(logical))
	case column.Struct:
		for i := range mapping.StructTypeChildCount(logical) {
			inside(mapping.StructTypeChildName(logical, i), mapping.StructTypeChildType(logical, i))
		}
	case column.Union:
		for i := range mapping.UnionTypeMemberCount(logical) {
			inside(mapping.UnionTypeMemberName(logical, i), mapping.UnionTypeMemberType(logical, i))
		}
	default:
	}
	return t
}

// vectorOf returns a view of the vector's memory.
func vectorOf(vector mapping.Vector) result.Vector {
	logical := mapping.VectorGetColumnType(vector)
	defer mapping.DestroyLogicalType(&logical)
	v := result.Vector{
		Kind:  kinds[mapping.GetTypeId(logical)],
		Data:  mapping.VectorGetData(vector),
		Valid: (*uint64)(mapping.VectorGetValidity(vector)),
	}
	switch v.Kind {
	case column.List:
		v.Children = []result.Vector{vectorOf(mapping.ListVectorGetChild(vector))}
	case column.Array:
		v.Children = []result.Vector{vectorOf(mapping.ArrayVectorGetChild(vector))}
	case column.Map:
		pairs := mapping.ListVectorGetChild(vector)
		v.Children = membersOf(pairs, 2)
	case column.Struct:
		v.Children = membersOf(vector, mapping.StructTypeChildCount(logical))
	case column.Union:
		v.Children = membersOf(vector, mapping.UnionTypeMemberCount(logical)+1)
	default:
	}
	return v
}

// membersOf returns the vectors of a struct, or of a type with the same layout.
func membersOf(vector mapping.Vector, n mapping.IdxT) []result.Vector {
	members := make([]result.Vector, n)
	for i := range members {
		members[i] = vectorOf(mapping.StructVectorGetChild(vector, mapping.IdxT(i)))
	}
	return members
}
