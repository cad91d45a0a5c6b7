package api

import (
	"bytes"
	"strconv"

	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/result"
)

// sumOf is a hash of a state of the data.
func sumOf(at result.Snapshot) uint64 {
	return uint64(at.AsOf.UnixMicro())*0x9e3779b97f4a7c15 ^ uint64(at.Revision)
}

// etag names an answer of the endpoint, which the key and what it was made of
// decide. It is weak, for a compressor may write the same in other bytes another time.
func (r *route) etag(key string, sum uint64) []byte {
	return append(strconv.AppendUint([]byte(`W/"`), sum^(xxh3.HashString(key)+r.sum), 36), '"')
}

// etagOf names a text by what is in it.
func etagOf(body []byte) []byte {
	return append(strconv.AppendUint([]byte{'"'}, xxh3.Hash(body), 36), '"')
}

// matches reports whether If-None-Match names the ETag: by the weak comparison, or by "*"
// alone (RFC 9110 §13.1.2).
func matches(ifNoneMatch, etag []byte) bool {
	switch {
	case len(ifNoneMatch) == 0:
		return false
	case bytes.Equal(ifNoneMatch, etag), string(bytes.TrimSpace(ifNoneMatch)) == "*":
		return true
	}
	for tag := range bytes.SplitSeq(ifNoneMatch, []byte(",")) {
		tag = bytes.TrimPrefix(bytes.TrimSpace(tag), []byte("W/"))
		if bytes.Equal(tag, bytes.TrimPrefix(etag, []byte("W/"))) {
			return true
		}
	}
	return false
}
