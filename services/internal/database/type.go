package database

import (
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/result"
)

// kinds are the types whose values others may read.
var kinds = map[mapping.Type]result.Kind{
	mapping.TypeBoolean: result.Boolean,
	mapping.TypeTinyInt: result.TinyInt, mapping.TypeSmallInt: result.SmallInt,
	mapping.TypeInteger: result.Integer, mapping.TypeBigInt: result.BigInt,
	mapping.TypeUTinyInt: result.UTinyInt, mapping.TypeUSmallInt: result.USmallInt,
	mapping.TypeUInteger: result.UInteger, mapping.TypeUBigInt: result.UBigInt,
	mapping.TypeHugeInt: result.HugeInt, mapping.TypeUHugeInt: result.UHugeInt,
	mapping.TypeFloat: result.Float, mapping.TypeDouble: result.Double, mapping.TypeDecimal: result.Decimal,
	mapping.TypeVarchar: result.Varchar, mapping.TypeBlob: result.Blob,
	mapping.TypeUUID: result.UUID, mapping.TypeEnum: result.Enum,
	mapping.TypeDate: result.Date, mapping.TypeInterval: result.Interval,
	mapping.TypeTime: result.Time, mapping.TypeTimeNS: result.TimeNS, mapping.TypeTimeTZ: result.TimeTZ,
	mapping.TypeTimestamp: result.Timestamp, mapping.TypeTimestampTZ: result.TimestampTZ,
	mapping.TypeTimestampS: result.TimestampS, mapping.TypeTimestampMS: result.TimestampMS, mapping.TypeTimestampNS: result.TimestampNS,
	mapping.TypeList: result.List, mapping.TypeArray: result.Array, mapping.TypeMap: result.Map,
	mapping.TypeStruct: result.Struct, mapping.TypeUnion: result.Union,
}

// takenType is typeOf of a type that is the caller's to free, and frees it.
func takenType(logical mapping.LogicalType) result.Type {
	defer mapping.DestroyLogicalType(&logical)
	return typeOf(logical)
}

func typeOf(logical mapping.LogicalType) result.Type {
	id := mapping.GetTypeId(logical)
	t := result.Type{Kind: kinds[id], Alias: mapping.LogicalTypeGetAlias(logical)}
	inside := func(name string, inner mapping.LogicalType) {
		t.Fields = append(t.Fields, result.Field{Name: name, Type: takenType(inner)})
	}
	switch t.Kind {
	case result.Decimal:
		t.Physical = kinds[mapping.DecimalInternalType(logical)]
		t.Width, t.Scale = mapping.DecimalWidth(logical), mapping.DecimalScale(logical)
	case result.Enum:
		t.Physical = kinds[mapping.EnumInternalType(logical)]
		for i := range mapping.IdxT(mapping.EnumDictionarySize(logical)) {
			t.Words = append(t.Words, mapping.EnumDictionaryValue(logical, i))
		}
	case result.List:
		inside("", mapping.ListTypeChildType(logical))
	case result.Array:
		t.Size = int(mapping.ArrayTypeArraySize(logical))
		inside("", mapping.ArrayTypeChildType(logical))
	case result.Map:
		inside("", mapping.MapTypeKeyType(logical))
		inside("", mapping.MapTypeValueType(logical))
	case result.Struct:
		for i := range mapping.StructTypeChildCount(logical) {
			inside(mapping.StructTypeChildName(logical, i), mapping.StructTypeChildType(logical, i))
		}
	case result.Union:
		for i := range mapping.UnionTypeMemberCount(logical) {
			inside(mapping.UnionTypeMemberName(logical, i), mapping.UnionTypeMemberType(logical, i))
		}
	default:
	}
	return t
}

// vectorOf is a vector, whose memory it shares.
func vectorOf(vector mapping.Vector) result.Vector {
	logical := mapping.VectorGetColumnType(vector)
	defer mapping.DestroyLogicalType(&logical)
	v := result.Vector{
		Kind:  kinds[mapping.GetTypeId(logical)],
		Data:  mapping.VectorGetData(vector),
		Valid: (*uint64)(mapping.VectorGetValidity(vector)),
	}
	switch v.Kind {
	case result.List:
		v.Inside = []result.Vector{vectorOf(mapping.ListVectorGetChild(vector))}
	case result.Array:
		v.Inside = []result.Vector{vectorOf(mapping.ArrayVectorGetChild(vector))}
	case result.Map:
		pairs := mapping.ListVectorGetChild(vector)
		v.Inside = membersOf(pairs, 2)
	case result.Struct:
		v.Inside = membersOf(vector, mapping.StructTypeChildCount(logical))
	case result.Union:
		v.Inside = membersOf(vector, mapping.UnionTypeMemberCount(logical)+1)
	default:
	}
	return v
}

// membersOf are the vectors of a struct, or of what lies in memory as one.
func membersOf(vector mapping.Vector, n mapping.IdxT) []result.Vector {
	members := make([]result.Vector, n)
	for i := range members {
		members[i] = vectorOf(mapping.StructVectorGetChild(vector, mapping.IdxT(i)))
	}
	return members
}
