package encode

import (
	"encoding/binary"
	"io"
	"slices"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/result"
)

// Messages are Flatbuffers, tables whose fields have numbers: those of Message.fbs and Schema.fbs in Arrow's
// format, version 1.5. They are written here because Arrow's library takes a third of the time of a cold build.
const (
	arrowVersion = 4 // MetadataVersion.V5
	schemaHeader = 1 // MessageHeader
	batchHeader  = 3
	// arrowAlign is the number of bytes that lengths are multiples of.
	arrowAlign = 8
)

// Members of the union Type.
const (
	arrowInt       = 2
	arrowFloat     = 3
	arrowBinary    = 4
	arrowText      = 5
	arrowBool      = 6
	arrowDecimal   = 7
	arrowDate      = 8
	arrowTimestamp = 10
	arrowList      = 12
	arrowStruct    = 13
	arrowMap       = 17
)

// arrowSchema returns the message with the schema of columns of plain types.
func arrowSchema(columns []result.Field) []byte {
	b := flatbuffers.NewBuilder(0)
	fields := b.CreateVectorOfTables(arrowMembers(b, columns))
	b.StartObject(4)
	b.PrependUOffsetTSlot(1, fields, 0)
	return arrowMessage(b, schemaHeader, b.EndObject(), 0)
}

func arrowMembers(b *flatbuffers.Builder, fields []result.Field) []flatbuffers.UOffsetT {
	members := make([]flatbuffers.UOffsetT, len(fields))
	for i := range fields {
		members[i] = arrowField(b, fields[i].Name, &fields[i].Type, true)
	}
	return members
}

// arrowField writes the field of a plain type.
func arrowField(b *flatbuffers.Builder, name string, t *result.Type, nullable bool) flatbuffers.UOffsetT {
	var inside []flatbuffers.UOffsetT
	switch t.Kind {
	case column.List:
		inside = append(inside, arrowField(b, "item", &t.Fields[0].Type, true))
	case column.Map:
		pair := []flatbuffers.UOffsetT{arrowField(b, "key", &t.Fields[0].Type, false), arrowField(b, "value", &t.Fields[1].Type, true)}
		inside = append(inside, writeField(b, "entries", &result.Type{Kind: column.Struct}, false, pair))
	default:
		inside = arrowMembers(b, t.Fields)
	}
	return writeField(b, name, t, nullable, inside)
}

func writeField(b *flatbuffers.Builder, name string, t *result.Type, nullable bool, inside []flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	kind, details := arrowType(b, t)
	children, text := b.CreateVectorOfTables(inside), b.CreateString(name)
	var metadata flatbuffers.UOffsetT
	if t.Alias == jsonAlias { // Arrow's canonical extension arrow.json
		metadata = b.CreateVectorOfTables([]flatbuffers.UOffsetT{
			keyValue(b, "ARROW:extension:name", "arrow.json"), keyValue(b, "ARROW:extension:metadata", ""),
		})
	}
	b.StartObject(7)
	b.PrependUOffsetTSlot(0, text, 0)
	b.PrependBoolSlot(1, nullable, false)
	b.PrependByteSlot(2, kind, 0)
	b.PrependUOffsetTSlot(3, details, 0)
	b.PrependUOffsetTSlot(5, children, 0)
	b.PrependUOffsetTSlot(6, metadata, 0)
	return b.EndObject()
}

func keyValue(b *flatbuffers.Builder, key, value string) flatbuffers.UOffsetT {
	k, v := b.CreateString(key), b.CreateString(value)
	b.StartObject(2)
	b.PrependUOffsetTSlot(0, k, 0)
	b.PrependUOffsetTSlot(1, v, 0)
	return b.EndObject()
}

// arrowType writes the details of a plain type and returns its member of Type.
func arrowType(b *flatbuffers.Builder, t *result.Type) (byte, flatbuffers.UOffsetT) {
	var zone flatbuffers.UOffsetT
	if t.Kind == column.TimestampTZ {
		zone = b.CreateString("UTC")
	}
	b.StartObject(3)
	kind := byte(arrowText)
	switch t.Kind {
	case column.Boolean:
		kind = arrowBool
	case column.TinyInt, column.SmallInt, column.Integer, column.BigInt, column.UTinyInt, column.USmallInt, column.UInteger, column.UBigInt:
		kind = arrowInt
		b.PrependInt32Slot(0, int32(8*t.Kind.Width()), 0)
		b.PrependBoolSlot(1, t.Kind < column.UTinyInt, false)
	case column.Float, column.Double:
		kind = arrowFloat
		b.PrependInt16Slot(0, int16(t.Kind.Width()/4), 0) // SINGLE or DOUBLE
	case column.Decimal:
		kind = arrowDecimal
		b.PrependInt32Slot(0, int32(t.Width), 0)
		b.PrependInt32Slot(1, int32(t.Scale), 0)
	case column.Blob:
		kind = arrowBinary
	case column.Date:
		kind = arrowDate
		b.PrependInt16Slot(0, 0, 1) // DAY
	case column.TimestampS, column.TimestampMS, column.Timestamp, column.TimestampTZ, column.TimestampNS:
		kind = arrowTimestamp
		b.PrependInt16Slot(0, arrowUnits[t.Kind], 0)
		b.PrependUOffsetTSlot(1, zone, 0)
	case column.List:
		kind = arrowList
	case column.Struct:
		kind = arrowStruct
	case column.Map:
		kind = arrowMap
	default:
	}
	return kind, b.EndObject()
}

// arrowUnits are the members of TimeUnit.
var arrowUnits = map[column.Kind]int16{column.TimestampS: 0, column.TimestampMS: 1, column.Timestamp: 2, column.TimestampTZ: 2, column.TimestampNS: 3}

// arrowMessage returns a message's bytes before its body.
func arrowMessage(b *flatbuffers.Builder, kind byte, header flatbuffers.UOffsetT, body int64) []byte {
	b.StartObject(4)
	b.PrependInt64Slot(3, body, 0)
	b.PrependUOffsetTSlot(2, header, 0)
	b.PrependInt16Slot(0, arrowVersion, 0)
	b.PrependByteSlot(1, kind, 0)
	b.Finish(b.EndObject())
	table := b.FinishedBytes()
	message := binary.LittleEndian.AppendUint32(nil, 1<<32-1)
	message = binary.LittleEndian.AppendUint32(message, uint32(len(table)+padding(len(table))))
	return append(append(message, table...), zeros[:padding(len(table))]...)
}

var zeros [arrowAlign]byte

// padding returns how many bytes are missing to a multiple of arrowAlign.
func padding(n int) int { return -n & (arrowAlign - 1) }

// arrowBatch is the message of a record batch.
type arrowBatch struct {
	nodes   [][2]int64 // of each field in the order of the schema: how many values, how many NULL
	buffers [][]byte
}

func (a *arrowBatch) node(values, nulls int) {
	a.nodes = append(a.nodes, [2]int64{int64(values), int64(nulls)})
}

func (a *arrowBatch) buffer(b []byte) { a.buffers = append(a.buffers, b) }

// writeTo writes the message of a batch with that many rows.
func (a *arrowBatch) writeTo(w io.Writer, b *flatbuffers.Builder, rows int) error {
	spans, end := make([][2]int64, len(a.buffers)), int64(0)
	for i, buffer := range a.buffers {
		spans[i] = [2]int64{end, int64(len(buffer))}
		end += int64(len(buffer) + padding(len(buffer)))
	}
	b.Reset()
	nodes, buffers := pairs(b, a.nodes), pairs(b, spans)
	b.StartObject(3)
	b.PrependInt64Slot(0, int64(rows), 0)
	b.PrependUOffsetTSlot(1, nodes, 0)
	b.PrependUOffsetTSlot(2, buffers, 0)
	if _, err := w.Write(arrowMessage(b, batchHeader, b.EndObject(), end)); err != nil {
		return err
	}
	for _, buffer := range a.buffers {
		for _, part := range [][]byte{buffer, zeros[:padding(len(buffer))]} {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
	}
	return nil
}

// pairs writes a vector of structs of two numbers.
func pairs(b *flatbuffers.Builder, pairs [][2]int64) flatbuffers.UOffsetT {
	b.StartVector(16, len(pairs), 8)
	for _, p := range slices.Backward(pairs) {
		b.PrependInt64(p[1])
		b.PrependInt64(p[0])
	}
	return b.EndVector(len(pairs))
}
