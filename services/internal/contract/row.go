package contract

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/zeebo/xxh3"
)

// inPlace is the length up to which a string lies in its record.
const inPlace = 12

const recordSize = 16

// appendText adds a string to the column.
func (v *Vector) appendText(text []byte) {
	var r [recordSize]byte
	binary.NativeEndian.PutUint32(r[:], uint32(len(text)))
	if len(text) <= inPlace {
		copy(r[4:], text)
	} else {
		copy(r[4:8], text)
		binary.NativeEndian.PutUint64(r[8:], uint64(len(v.Heap)))
		v.Heap = append(v.Heap, text...)
	}
	v.Data = append(v.Data, r[:]...)
}

// appendShort adds the first n bytes of p, at most inPlace, of which p has at
// least that many: it takes them all and blanks the rest, which is faster than to
// copy so few.
func (v *Vector) appendShort(p []byte, n int) {
	head, tail := binary.LittleEndian.Uint32(p), binary.LittleEndian.Uint64(p[4:inPlace])
	if n < 4 {
		head, tail = head&(1<<(8*n)-1), 0
	} else {
		tail &= 1<<(8*(n-4)) - 1
	}
	data := binary.NativeEndian.AppendUint32(v.Data, uint32(n))
	data = binary.LittleEndian.AppendUint32(data, head)
	v.Data = binary.LittleEndian.AppendUint64(data, tail)
}

// appendInt adds a number of the column's width. It fits: the contract's bounds
// decided the width.
func (v *Vector) appendInt(n int64) {
	switch v.Type.Width() {
	case 1:
		v.Data = append(v.Data, byte(n))
	case 2:
		v.Data = binary.NativeEndian.AppendUint16(v.Data, uint16(n))
	case 4:
		v.Data = binary.NativeEndian.AppendUint32(v.Data, uint32(n))
	default:
		v.Data = binary.NativeEndian.AppendUint64(v.Data, uint64(n))
	}
}

func (v *Vector) appendDouble(x float64) {
	v.Data = binary.NativeEndian.AppendUint64(v.Data, math.Float64bits(x))
}

func (v *Vector) appendBool(yes bool) {
	if yes {
		v.Data = append(v.Data, 1)
	} else {
		v.Data = append(v.Data, 0)
	}
}

// appendNull adds NULL as row number row; its data is zero.
func (v *Vector) appendNull(row int) {
	v.Data = append(v.Data, zeros[:v.Type.Width()]...)
	if v.Nulls == nil {
		v.Nulls = append(v.spare[:0], make([]uint8, row)...)
		v.spare = nil
	}
	v.Nulls = append(v.Nulls, 1)
}

var zeros [recordSize]byte

// truncate drops what was added to the column since it had that many rows.
func (v *Vector) truncate(rows int) {
	size := rows * v.Type.Width()
	if v.Nulls != nil && len(v.Nulls) > rows {
		v.Nulls = v.Nulls[:rows]
	}
	if len(v.Data) <= size {
		return
	}
	if v.Type == Varchar || v.Type == JSON {
		if r := v.Data[size:]; binary.NativeEndian.Uint32(r) > inPlace {
			v.Heap = v.Heap[:binary.NativeEndian.Uint64(r[8:])]
		}
	}
	v.Data = v.Data[:size]
}

// text is the string of a row. It aliases the vector.
func (v *Vector) text(row int) []byte {
	r := v.Data[row*recordSize : (row+1)*recordSize]
	n := uint64(binary.NativeEndian.Uint32(r))
	if n <= inPlace {
		return r[4 : 4+n]
	}
	at := binary.NativeEndian.Uint64(r[8:])
	return v.Heap[at : at+n]
}

// int is the integer of a row.
func (v *Vector) int(row int) int64 {
	width := v.Type.Width()
	switch r := v.Data[row*width:]; width {
	case 1:
		return int64(int8(r[0]))
	case 2:
		return int64(int16(binary.NativeEndian.Uint16(r)))
	case 4:
		return int64(int32(binary.NativeEndian.Uint32(r)))
	default:
		return int64(binary.NativeEndian.Uint64(r))
	}
}

// hash is the hash of a row's value as a key (see HashString and its siblings).
func (v *Vector) hash(row int) uint64 {
	switch v.Type {
	case Varchar:
		return xxh3.Hash(v.text(row))
	case UUID:
		return xxh3.Hash(v.Data[row*16 : row*16+16])
	default:
		return HashInt(v.int(row))
	}
}

// string is a row's value, a key or partition, as text.
func (v *Vector) string(row int) string {
	switch v.Type {
	case Varchar:
		return string(v.text(row))
	case UUID:
		return uuidText(v.Data[row*16 : row*16+16])
	default:
		return strconv.FormatInt(v.int(row), 10)
	}
}

// write adds a value that was found valid, as it stands in the document, to the
// column. It reports false for null, which is not written.
func (v *Vector) write(raw []byte) bool {
	if raw[0] == 'n' {
		return false
	}
	switch v.Type {
	case JSON:
		v.appendText(raw)
	case Boolean:
		v.appendBool(raw[0] == 't')
	case Double:
		x, _ := parseDouble(raw)
		v.appendDouble(x)
	case TinyInt, SmallInt, Integer, BigInt:
		var digits [32]byte
		n, _ := parseDecimal(digits[:], raw).int64()
		v.appendInt(n)
	default:
		v.writeString(raw)
	}
	return true
}

func (v *Vector) writeString(raw []byte) {
	end, ascii, escaped, _ := endOfText(raw, 1)
	text, _, _ := plainText(nil, raw[1:end], ascii, escaped)
	switch v.Type {
	case Date:
		days, _ := parseDate(text)
		v.appendInt(int64(days))
	case TimestampTZ:
		micros, _ := parseInstant(text)
		v.appendInt(micros)
	case UUID:
		id, _ := parseUUID(text)
		v.Data = append(v.Data, id[:]...)
	default:
		v.appendText(text)
	}
}
