package stream

import (
	"strconv"
	"strings"
)

// slots is how many slots a Redis Cluster has.
const slots = 16384

// hashTag is a text that, in braces, puts a key into the same slot of a Redis Cluster as the given
// one: scripts may use keys of one slot only.
// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
func hashTag(key string) string {
	hashed := hashedPart(key)
	if !strings.Contains(hashed, "}") {
		return hashed
	}
	want := slot(hashed) // it can't be in braces: take the first number of that slot
	for n := 0; ; n++ {
		if tag := strconv.Itoa(n); slot(tag) == want {
			return tag
		}
	}
}

// hashedPart is what of a key decides its slot: what is between the first brace and the next closing
// one or, if that is nothing, all of it.
func hashedPart(key string) string {
	_, after, _ := strings.Cut(key, "{")
	if tag, _, closed := strings.Cut(after, "}"); closed && tag != "" {
		return tag
	}
	return key
}

// slot is CRC-16/XMODEM modulo the number of slots.
func slot(text string) uint16 {
	var crc uint16
	for i := range len(text) {
		crc ^= uint16(text[i]) << 8
		for range 8 {
			carry := crc >> 15
			crc = crc<<1 ^ carry*0x1021
		}
	}
	return crc % slots
}
