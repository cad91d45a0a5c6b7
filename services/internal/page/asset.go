package page

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"
)

//go:embed asset
var assetFiles embed.FS

// assets are the files by path: /assets/HASH/NAME, which never changes.
var assets, assetPaths = loadAssets()

func loadAssets() (files map[string][]byte, paths map[string]string) {
	entries, err := assetFiles.ReadDir("asset")
	if err != nil {
		panic(err) // embedded: a test would fail
	}
	files, paths = map[string][]byte{}, map[string]string{}
	for _, e := range entries {
		body, err := assetFiles.ReadFile("asset/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		paths[e.Name()] = "/assets/" + hex.EncodeToString(sum[:6]) + "/" + e.Name()
		files[paths[e.Name()]] = body
	}
	return files, paths
}

// ServeAsset answers a GET of the style sheet, the script or the icon, which need no credential.
func (s *Server) ServeAsset(c *fiber.Ctx) error {
	body, ok := assets[c.Path()]
	if !ok {
		return fiber.NewError(http.StatusNotFound)
	}
	setHeaders(c)
	mediaType := mime.TypeByExtension(path.Ext(c.Path()))
	if strings.HasSuffix(c.Path(), ".svg") {
		mediaType = "image/svg+xml"
	}
	c.Set(fiber.HeaderContentType, mediaType)
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	c.Status(http.StatusOK).Response().SetBodyRaw(body)
	return nil
}
