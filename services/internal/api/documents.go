package api

import (
	"strings"

	"github.com/gofiber/fiber/v2"
)

// alive answers probes, which have no key: it shows no more than that the server runs.
func alive(c *fiber.Ctx) error {
	c.Locals(labelKey, "livez")
	c.Set(fiber.HeaderCacheControl, "no-store")
	return fixed(fiber.MIMETextPlainCharsetUTF8, []byte("ok\n"))(c)
}

// document serves a part of the catalog that changes with its endpoints only: to a key,
// what it opens.
func (s *Server) document(label string, part func(*catalog) []byte, admit fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Locals(labelKey, label)
		if err := admit(c); err != nil {
			return err
		}
		seen, err := s.catalog.Load().view(keyOf(c))
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderCacheControl, "no-cache")
		if s.cfg.Keys != nil {
			c.Set(fiber.HeaderCacheControl, "private, no-cache")
		}
		return cacheable(jsonFormat.mediaType, part(seen))(c)
	}
}

// missing answers for a path with nothing at it. A key that does not open the dataset gets the
// same answer as if there were something.
func (s *Server) missing(c *fiber.Ctx, k *catalog) error {
	if err := s.admit(c, c.Params("dataset")); err != nil {
		return err
	}
	seen, err := k.view(keyOf(c))
	if err != nil {
		return err
	}
	return seen.missing(strings.Clone(c.Path()))
}
