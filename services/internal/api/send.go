package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

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
