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

// plainPath makes a percent-encoded letter of the path that letter, before the router sees
// it: the two are the same path (RFC 3986 §6.2.2.2). What else is encoded stays so, for %2F
// is no slash.
func plainPath(router fasthttp.RequestHandler) fasthttp.RequestHandler {
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

// admitPath refuses a path that can't be decoded.
func admitPath(c *fiber.Ctx) error {
	var bad url.EscapeError
	if _, err := url.PathUnescape(c.Path()); errors.As(err, &bad) {
		return badRequest.new("", fmt.Sprintf("The path has %q, which is no percent-encoding.", string(bad)))
	}
	return c.Next()
}

// anyMethod lets methods that Fiber has no name for be refused as all others are: it
// would answer them itself, and not with a problem document.
func anyMethod(router fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(c *fasthttp.RequestCtx) {
		if !slices.Contains(fiber.DefaultMethods, string(c.Method())) {
			c.Request.Header.SetMethod(fiber.MethodTrace)
		}
		router(c)
	}
}
