package api

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"
	"strings"
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

// entry is an encoded answer with its headers, shared by the cache and clients.
type entry struct {
	*spool.Body

	// head has the headers of 200 and 304, which are built once for all clients.
	head fasthttp.ResponseHeader
	// contentType, encoding and link are the other headers of 200; the last two may be empty.
	contentType, encoding, link, etag []byte

	rows     int
	snapshot result.Snapshot
	// validatedAt is when the answer was last known to be current, in nanoseconds since
	// 1970.
	validatedAt atomic.Int64
	// refreshing is true while a request or background task makes the next one.
	refreshing atomic.Bool
}

// entrySize is about what an entry takes besides its body and its key.
const entrySize = 2 << 10

// newEntry returns the answer to the request. sum is the hash for its ETag, of the snapshot or,
// if the endpoint is volatile, of the answer.
func newEntry(r *route, q request, body *spool.Body, m encode.Meta, at result.Snapshot, sum uint64) *entry {
	e := &entry{Body: body, contentType: []byte(q.format.mediaType), encoding: []byte(body.Coding), etag: r.etag(q.key, sum), rows: m.Rows, snapshot: at}
	e.validatedAt.Store(time.Now().UnixNano())
	e.head.SetNoDefaultContentType(true)
	setSecurityHeaders(&e.head, cmp.Or(q.format.policy, policy))
	e.head.SetCanonical(headerETag, e.etag)
	e.head.SetCanonical(headerCache, r.cacheControl)
	if !at.AsOf.IsZero() {
		e.head.SetCanonical(headerAsOf, encode.AppendTime(nil, column.TimestampTZ, at.AsOf))
	}
	if r.adhoc { // its path is none to link to
		if m.Cut {
			e.head.Set(headerCut, "true")
		}
		return e
	}
	var links []string
	if m.Next != "" {
		links = append(links, "<"+q.linkTo("cursor", m.Next)+`>; rel="next"`)
	}
	if q.format.draw != nil { // the table behind the chart
		links = append(links, "<"+q.linkTo("format", "csv")+`>; rel="alternate"; type="text/csv"`)
	}
	e.link = []byte(strings.Join(links, ", "))
	return e
}

// fresh reports whether the answer is within its cache time.
func (e *entry) fresh(cache time.Duration, now time.Time) bool {
	return now.UnixNano()-e.validatedAt.Load() < int64(cache)
}

// maxStale is how long after its cache time an answer is served while the next one is being made,
// waits for its turn, or is refused because the server is busy.
const maxStale = time.Minute

// servableStale reports whether the answer may be served stale.
func (e *entry) servableStale(cache time.Duration, now time.Time) bool {
	return cache > 0 && now.UnixNano()-e.validatedAt.Load() < int64(cache+maxStale)
}

// servable reports whether the answer is served at once: it is fresh, or stale while the next one
// is being made or would have to wait for a turn.
func (e *entry) servable(cache time.Duration, now time.Time, turns *queue.Queue) bool {
	return e.fresh(cache, now) || e.servableStale(cache, now) && (e.refreshing.Load() || turns.Full())
}

// nearExpiry reports whether three quarters of the cache time are over.
func (e *entry) nearExpiry(cache time.Duration, now time.Time) bool {
	return now.UnixNano()-e.validatedAt.Load() > int64(cache)/4*3
}

// snapshotHash hashes a snapshot.
func snapshotHash(at result.Snapshot) uint64 {
	return uint64(at.AsOf.UnixMicro())*0x9e3779b97f4a7c15 ^ uint64(at.Revision)
}

// etag returns the ETag of an answer: a hash of the endpoint, the request's key and sum. It is
// weak, for a compressor may write other bytes another time.
func (r *route) etag(key string, sum uint64) []byte {
	return append(strconv.AppendUint([]byte(`W/"`), sum^(xxh3.HashString(key)+r.sum), 36), '"')
}

// etagOf returns the strong ETag of static content.
func etagOf(body []byte) []byte {
	return append(strconv.AppendUint([]byte{'"'}, xxh3.Hash(body), 36), '"')
}

// etagMatches reports whether If-None-Match has the ETag, by weak comparison, or is "*"
// (RFC 9110 §13.1.2).
func etagMatches(ifNoneMatch, etag []byte) bool {
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
	headerETag   = []byte("Etag") // as fasthttp would write it
	headerAsOf   = []byte("Data-As-Of")
	headerLink   = []byte(fiber.HeaderLink)
	headerCache  = []byte(fiber.HeaderCacheControl)
	headerAge    = []byte(fiber.HeaderAge)
	headerVary   = []byte(fiber.HeaderVary)
	varyValue    = []byte("Accept, Accept-Encoding")
	varyWithKeys = []byte("Accept, Accept-Encoding, Authorization")
)

// send answers with the entry, whose head the answer has, or 304 if the client has it. It releases
// the caller's reference. An answer in a file calls sent once it is closed.
func (e *entry) send(c *fasthttp.RequestCtx, now time.Time, ifNoneMatch []byte, sent func(bytes int64)) {
	h := &c.Response.Header
	if age := (now.UnixNano() - e.validatedAt.Load()) / int64(time.Second); age > 0 {
		var b [20]byte
		h.SetCanonical(headerAge, strconv.AppendInt(b[:0], age, 10))
	}
	if etagMatches(ifNoneMatch, e.etag) {
		e.Release()
		c.Response.SetStatusCode(http.StatusNotModified)
		return
	}
	h.SetContentTypeBytes(e.contentType)
	if len(e.link) > 0 {
		h.SetCanonical(headerLink, e.link)
	}
	if len(e.encoding) > 0 {
		h.SetContentEncodingBytes(e.encoding)
	}
	if e.InMemory() {
		c.Response.SetBodyRaw(e.Bytes())
		return
	}
	c.Response.SetBodyStream(e.Open(sent), int(e.Size))
}

// answer is what the fast path has answered with the entry.
func (e *entry) answer(subject, label string, status int, took time.Duration) Answer {
	a := Answer{Subject: subject, Endpoint: label, Status: status, Cached: true, Took: took}
	if status == http.StatusOK {
		a.Rows, a.Bytes = e.rows, e.Size
	}
	return a
}
