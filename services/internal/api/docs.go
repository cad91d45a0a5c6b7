package api

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/access"
)

// serveCacheable serves static content with an ETag.
func serveCacheable(mediaType string, body []byte) fiber.Handler {
	etag := etagOf(body)
	whole := serveBytes(mediaType, body)
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderETag, string(etag))
		if etagMatches(joinedHeader(c.Context(), fiber.HeaderIfNoneMatch), etag) {
			c.Status(http.StatusNotModified)
			return nil
		}
		return whole(c)
	}
}

func serveBytes(mediaType string, body []byte) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, mediaType)
		c.Status(http.StatusOK).Response().SetBodyRaw(body)
		return nil
	}
}

// serveLiveness answers liveness probes, without a key.
func serveLiveness(c *fiber.Ctx) error {
	c.Locals(labelKey, "livez")
	c.Set(fiber.HeaderCacheControl, "no-store")
	return serveBytes(fiber.MIMETextPlainCharsetUTF8, []byte("ok\n"))(c)
}

// serveDocument serves a document of the catalog, filtered for the request's credential.
func (s *Server) serveDocument(label string, part func(*catalog) []byte, admit fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Locals(labelKey, label)
		if err := admit(c); err != nil {
			return err
		}
		seen, err := s.catalog.Load().forGrant(grantOf(c))
		if err != nil {
			return err
		}
		s.setDocumentCaching(c)
		return serveCacheable(jsonFormat.mediaType, part(seen))(c)
	}
}

// setDocumentCaching makes caches ask whether a document is still the same.
func (s *Server) setDocumentCaching(c *fiber.Ctx) {
	c.Set(fiber.HeaderCacheControl, "no-cache")
	if s.cfg.Access != nil {
		c.Set(fiber.HeaderCacheControl, "private, no-cache")
	}
}

// serveNotFound answers an unknown path. A credential that would not open it gets the same answer as for
// a path that exists.
func (s *Server) serveNotFound(c *fiber.Ctx, k *catalog) error {
	dataset, name := c.Params("dataset"), c.Params("endpoint")
	err := s.authorize(c, func(g *access.Grant) error {
		if g.Opens(dataset+"/"+name, []string{dataset}) {
			return nil
		}
		return notOpened(g)
	})
	if err != nil {
		return err
	}
	seen, err := k.forGrant(grantOf(c))
	if err != nil {
		return err
	}
	return seen.notFoundProblem(strings.Clone(c.Path()))
}
