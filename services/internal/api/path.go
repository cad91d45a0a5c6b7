package api

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// normalizePath decodes percent-encoded unreserved characters of the path before routing, which
// makes equivalent paths equal (RFC 3986 §6.2.2.2). Others stay encoded, for %2F is not a slash.
func normalizePath(router fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(c *fasthttp.RequestCtx) {
		if path := c.URI().PathOriginal(); bytes.IndexByte(path, '%') >= 0 {
			c.URI().SetPath(decodeUnreserved(string(path)))
		}
		router(c)
	}
}

func decodeUnreserved(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if i+3 <= len(path) && path[i] == '%' {
			if plain, err := url.PathUnescape(path[i : i+3]); err == nil && unreserved(plain[0]) {
				b.WriteString(plain)
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

func unreserved(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// checkPath rejects a path with invalid percent-encoding.
func checkPath(c *fiber.Ctx) error {
	var bad url.EscapeError
	if _, err := url.PathUnescape(c.Path()); errors.As(err, &bad) {
		return badRequest.new("", fmt.Sprintf("The path has %q, which is no percent-encoding.", string(bad)))
	}
	return c.Next()
}

// mapUnknownMethod maps methods unknown to Fiber to TRACE, which no route has: Fiber would answer
// them itself, without a problem document.
func mapUnknownMethod(router fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(c *fasthttp.RequestCtx) {
		if !slices.Contains(fiber.DefaultMethods, string(c.Method())) {
			c.Request.Header.SetMethod(fiber.MethodTrace)
		}
		router(c)
	}
}
