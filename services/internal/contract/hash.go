package contract

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"

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

// HashKey is the hash of a key of this contract that is written as text, as
// KeyString gives it and as the warehouse casts the column to VARCHAR.
func (c *Contract) HashKey(text string) (uint64, error) {
	switch t := c.Columns[c.Key].Type; t {
	case Varchar:
		return HashString(text), nil
	case UUID:
		id, ok := parseUUID([]byte(text))
		if !ok {
			return 0, fmt.Errorf("hash key %q of %s: it is no UUID", text, c.Name)
		}
		return HashUUID(id), nil
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("hash key %q of %s: %w", text, c.Name, err)
		}
		return HashInt(n), nil
	}
}

// Shard is the shard, from 0, of an event with that partition: the CRC-32
// (IEEE, as in zlib, gzip and PNG) of the partition's UTF-8 text, modulo the
// number of shards. It is part of the protocol: whoever writes to the streams
// must compute the same. An integer's text is its decimal digits without leading
// zeros, a UUID's its 36 characters in lower case; Batch.PartitionString gives
// both.
//
// CRC-32 is not the best of hashes, but there is no language without it.
func Shard(partition string, shards int) int {
	return int(uint64(crc32.ChecksumIEEE([]byte(partition))) % uint64(max(shards, 1)))
}
