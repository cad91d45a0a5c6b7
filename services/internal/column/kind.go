package column

// Kind is how a value lies in memory; Other is what nobody here reads.
type Kind uint8

// The kinds, each with the Go type of its values. Those that a contract's property can have
// are named by String.
const (
	Other       Kind = iota
	Boolean          // bool: one byte, 0 or 1
	TinyInt          // int8
	SmallInt         // int16
	Integer          // int32
	BigInt           // int64
	UTinyInt         // uint8
	USmallInt        // uint16
	UInteger         // uint32
	UBigInt          // uint64
	Float            // float32
	Double           // float64
	Varchar          // Record
	JSON             // Record of a contract's column: the bytes as they were sent. DuckDB has it as a Varchar with an alias
	Blob             // Record
	Date             // int32, days since 1970-01-01
	Timestamp        // int64, microseconds since 1970, in no zone
	TimestampTZ      // int64, microseconds since 1970 in UTC
	TimestampNS      // int64, nanoseconds since 1970, in no zone
	TimestampMS      // int64, milliseconds since 1970, in no zone
	TimestampS       // int64, seconds since 1970, in no zone
	Time             // int64, microseconds of the day
	TimeNS           // int64, nanoseconds of the day
	TimeTZ           // uint64, see result.SplitTimeTZ
	Interval         // result.Interval
	HugeInt          // 16 bytes: low uint64, then high int64
	UHugeInt         // 16 bytes: low uint64, then high uint64
	UUID             // as HugeInt, its top bit flipped
	Decimal          // integers of a type's physical kind, without their point
	Enum             // places in a type's words, of its physical kind
	List             // offset and length, uint64, in the vector inside
	Array            // nothing: a row has a fixed number of values in the vector inside
	Map              // as List, of the keys and of their values
	Struct           // nothing: the members' values are in the same row of the vectors inside
	Union            // as Struct, after the tag, a uint8: which of the others counts
)

// Width is the number of bytes that a value of k takes in a vector's data; a Decimal's and an Enum's are
// those of its type's physical kind.
func (k Kind) Width() int {
	switch k {
	case Boolean, TinyInt, UTinyInt:
		return 1
	case SmallInt, USmallInt:
		return 2
	case Integer, UInteger, Float, Date:
		return 4
	case BigInt, UBigInt, Double, Timestamp, TimestampTZ, TimestampNS, TimestampMS, TimestampS, Time, TimeNS, TimeTZ:
		return 8
	case Array, Struct, Union:
		return 0
	default:
		return 16
	}
}

// String is DuckDB's name of the kind, of those that a contract's column has.
func (k Kind) String() string {
	return [...]string{
		Boolean: "BOOLEAN", TinyInt: "TINYINT", SmallInt: "SMALLINT", Integer: "INTEGER", BigInt: "BIGINT", Double: "DOUBLE",
		Varchar: "VARCHAR", JSON: "JSON", Date: "DATE", TimestampTZ: "TIMESTAMPTZ", UUID: "UUID", Union: "",
	}[k]
}

// IsText reports whether values of k are Records.
func (k Kind) IsText() bool { return k == Varchar || k == JSON || k == Blob }
