package column

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/zeebo/xxh3"
)

// HashString is the hash of a key that is a string: XXH3, 64 bits, seed 0, of
// its UTF-8 bytes.
func HashString(key string) uint64 { return xxh3.HashString(key) }

// HashInt is the hash of a key that is an integer of any width: XXH3 of its 64
// bits, lowest byte first.
func HashInt(key int64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(key))
	return xxh3.Hash(b[:])
}

// HashUUID is the hash of a key that is a UUID, in the layout of a UUID vector:
// XXH3 of its 16 bytes.
func HashUUID(key [16]byte) uint64 { return xxh3.Hash(key[:]) }

// CombineHash is the hash of a key of several values, whose hashes are given one after the other.
func CombineHash(first, next uint64) uint64 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], first)
	binary.LittleEndian.PutUint64(b[8:], next)
	return xxh3.Hash(b[:])
}

// Hash is the hash of a row's value as a key (see HashString and its siblings).
func (v *Vector) Hash(row int) uint64 {
	switch v.Type {
	case Varchar:
		return xxh3.Hash(v.Text(row))
	case UUID:
		return xxh3.Hash(v.Data[row*16 : row*16+16])
	default:
		return HashInt(v.Int(row))
	}
}

// Format is a row's value, a key or partition, as text: as an event may write it, an instant in
// UTC.
func (v *Vector) Format(row int) string {
	switch v.Type {
	case Varchar:
		return string(v.Text(row))
	case UUID:
		return FormatUUID(v.Data[row*16:])
	case Date:
		return time.Unix(v.Int(row)*secondsPerDay, 0).UTC().Format(time.DateOnly)
	case TimestampTZ:
		return time.UnixMicro(v.Int(row)).UTC().Format(time.RFC3339Nano)
	case Boolean:
		return strconv.FormatBool(v.Int(row) != 0)
	default:
		return strconv.FormatInt(v.Int(row), 10)
	}
}

const secondsPerDay = 24 * 60 * 60

// FormatUUID is the text of a UUID in its layout, the first 16 bytes of r.
func FormatUUID(r []byte) string {
	return string(AppendUUID(nil, binary.NativeEndian.Uint64(r), binary.NativeEndian.Uint64(r[8:])))
}

// AppendUUID writes a UUID, given in the two halves of its layout, in lower case.
func AppendUUID(b []byte, low, high uint64) []byte {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:], high^1<<63)
	binary.BigEndian.PutUint64(raw[8:], low)
	for i, end := range [...]int{4, 6, 8, 10, 16} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, raw[[...]int{0, 4, 6, 8, 10}[i]:end])
	}
	return b
}
