package api

import (
	"bytes"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/queue"
	"github.com/estela-dev/estela/services/internal/result"
	"github.com/estela-dev/estela/services/internal/spool"
)

// entry is an answer ready to be sent, to one client or to many.
type entry struct {
	*spool.Body

	contentType, policy, encoding, etag, asOf, link []byte

	at result.Snapshot
	// seen is when the data were last known to be as the answer shows them, in
	// nanoseconds since 1970.
	seen atomic.Int64
	// refreshing is true while somebody makes the next one.
	refreshing atomic.Bool
}

// newEntry is the answer to the request. The sum is of what it was made of.
func newEntry(r *route, q request, body *spool.Body, m encode.Meta, at result.Snapshot, sum uint64) *entry {
	e := &entry{
		Body: body, contentType: []byte(q.format.mediaType), policy: []byte(q.format.policy), encoding: []byte(body.Coding),
		etag: r.etag(q.key, sum), at: at,
	}
	e.seen.Store(time.Now().UnixNano())
	if !at.AsOf.IsZero() {
		e.asOf = encode.AppendTime(nil, column.TimestampTZ, at.AsOf)
	}
	if m.Next != "" {
		e.link = []byte("<" + q.following(m.Next) + `>; rel="next"`)
	}
	return e
}

// fresh reports whether the answer may still be given without asking the warehouse.
func (e *entry) fresh(cache time.Duration, now time.Time) bool {
	return now.UnixNano()-e.seen.Load() < int64(cache)
}

// maxStale is how much longer than its cache time an answer is given while the next one is
// being made or waits for its turn, or where there is no room to make one.
const maxStale = time.Minute

// stale reports whether the answer, though too old, is better than none.
func (e *entry) stale(cache time.Duration, now time.Time) bool {
	return cache > 0 && now.UnixNano()-e.seen.Load() < int64(cache+maxStale)
}

// current reports whether the answer is to be given without waiting: it is fresh, or the next
// one is being made or would have to wait for a turn.
func (e *entry) current(cache time.Duration, now time.Time, turns *queue.Queue) bool {
	return e.fresh(cache, now) || e.stale(cache, now) && (e.refreshing.Load() || turns.Full())
}

// ageing reports whether three quarters of the time are over.
func (e *entry) ageing(cache time.Duration, now time.Time) bool {
	return now.UnixNano()-e.seen.Load() > int64(cache)/4*3
}

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

// The headers of an answer.
var (
	headerETag     = []byte("Etag") // as fasthttp would write it
	headerAsOf     = []byte("Data-As-Of")
	headerLink     = []byte(fiber.HeaderLink)
	headerCache    = []byte(fiber.HeaderCacheControl)
	headerAge      = []byte(fiber.HeaderAge)
	headerVary     = []byte(fiber.HeaderVary)
	headerEncoding = []byte(fiber.HeaderContentEncoding)
	varyValue      = []byte("Accept, Accept-Encoding")
)

// send answers with the entry: 304 if the client has it. It takes over the
// caller's part in the entry. What the answer depends on (Vary) is the caller's to say.
func (e *entry) send(c *fasthttp.RequestCtx, r *route, now time.Time, ifNoneMatch []byte) {
	h := &c.Response.Header
	h.SetCanonical(headerETag, e.etag)
	h.SetCanonical(headerCache, r.cacheControl)
	if len(e.asOf) > 0 {
		h.SetCanonical(headerAsOf, e.asOf)
	}
	if age := (now.UnixNano() - e.seen.Load()) / int64(time.Second); age > 0 {
		h.SetCanonical(headerAge, strconv.AppendInt(nil, age, 10))
	}
	if matches(ifNoneMatch, e.etag) {
		e.Release()
		c.Response.SetStatusCode(http.StatusNotModified)
		return
	}
	protect(c)
	if len(e.policy) > 0 {
		h.SetCanonical(headerPolicy, e.policy)
	}
	h.SetContentTypeBytes(e.contentType)
	if len(e.link) > 0 {
		h.SetCanonical(headerLink, e.link)
	}
	if len(e.encoding) > 0 {
		h.SetCanonical(headerEncoding, e.encoding)
	}
	if e.InMemory() {
		c.Response.SetBodyRaw(e.Bytes())
		return
	}
	c.Response.SetBodyStream(e.Open(), int(e.Size))
}
