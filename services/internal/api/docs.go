package api

import (
	"bytes"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"
	swaggerui "github.com/swaggo/files/v2"

	"github.com/estela-dev/estela/services/internal/access"
	rfc9457 "github.com/estela-dev/estela/services/internal/problem"
)

// docsFiles are the files of Swagger UI that the page at /docs loads.
var docsFiles = []string{"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"}

// docsPolicy allows the page's own scripts. Swagger UI sets inline styles and has data: images
// in its style sheet.
const docsPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

const docsPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Estela API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<style>
body { margin: 0 }
@media (prefers-color-scheme: dark) { html { background: #fff; filter: invert(0.9) hue-rotate(180deg) } }
</style>
<div id="ui"></div>
<noscript>This page needs JavaScript; the same is in <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
`

const docsStart = `SwaggerUIBundle({ url: "/openapi.json", dom_id: "#ui", deepLinking: true, tryItOutEnabled: true, validatorUrl: null })
`

var problemPage = template.Must(template.New("problem").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{with .Kind}}{{.Title}}{{else}}Problems{{end}} - Estela API</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem }
dt { margin-top: 1rem; font-weight: 600 }
code { font-family: ui-monospace, monospace }
</style>
<p><a href="/docs">Estela API</a>{{if .Kind}} / <a href="/docs/problems">Problems</a>{{end}}</p>
{{with .Kind}}<h1>{{.Title}}</h1>
<p><code>{{.Status}}</code> · <code>type: {{.Path}}</code></p>
<p>{{.Help}}</p>{{else}}<h1>Problems</h1>
<p>An error is a problem document (RFC 9457), <code>application/problem+json</code>. Its <code>type</code> is one of these pages and stays the same.</p>
<dl>{{range .Kinds}}<dt><code>{{.Status}}</code> <a href="{{.Path}}">{{.Title}}</a></dt><dd>{{.Help}}</dd>{{end}}</dl>{{end}}
</html>
`))

// serveDocs routes the documentation for people: Swagger UI at /docs, to which / redirects, and
// the kinds of problems below it. It needs a credential if the API does.
func (s *Server) serveDocs() {
	s.app.Get("/", func(c *fiber.Ctx) error {
		c.Locals(labelKey, "docs")
		return c.Redirect("/docs", http.StatusFound)
	})
	docs := s.app.Group("/docs", func(c *fiber.Ctx) error {
		c.Locals(labelKey, "docs")
		if err := s.authorizeDocs(c); err != nil {
			return err
		}
		c.Set(fiber.HeaderContentSecurityPolicy, docsPolicy)
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
		c.Set(fiber.HeaderCacheControl, "public, max-age=3600")
		if s.cfg.Access != nil {
			c.Set(fiber.HeaderCacheControl, "private, max-age=3600")
		}
		return c.Next()
	})
	docs.Get("/", serveCacheable(fiber.MIMETextHTMLCharsetUTF8, []byte(docsPage)))
	docs.Get("/start.js", serveCacheable("text/javascript; charset=utf-8", []byte(docsStart)))
	for _, name := range docsFiles {
		body, err := fs.ReadFile(swaggerui.FS, name)
		if err != nil {
			panic(err) // embedded: a test would fail
		}
		docs.Get("/"+name, serveCacheable(mime.TypeByExtension(path.Ext(name)), body))
	}
	all := s.problemKinds()
	docs.Get("/problems", serveCacheable(fiber.MIMETextHTMLCharsetUTF8, problemHTML(nil, all)))
	for _, k := range all {
		docs.Get("/problems/"+k.Slug, serveCacheable(fiber.MIMETextHTMLCharsetUTF8, problemHTML(&k, all)))
	}
}

func problemHTML(k *rfc9457.Kind, all []rfc9457.Kind) []byte {
	var b bytes.Buffer
	if err := problemPage.Execute(&b, struct {
		Kind  *rfc9457.Kind
		Kinds []rfc9457.Kind
	}{k, all}); err != nil {
		panic(err) // without input: a test would fail
	}
	return b.Bytes()
}

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
