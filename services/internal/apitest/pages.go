package apitest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/api"
)

// Pages are pages without looks: each has all that a visit opens.
type Pages struct{}

// Serve implements api.Pages.
func (Pages) Serve(c *fiber.Ctx, v *api.Visit) error {
	index, err := api.Index(v.Datasets())
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "inspects: %t, guarded: %t\n%s", v.Inspects(), v.Guarded(), index)
	for _, k := range v.Problems() {
		fmt.Fprintf(&text, "%s: %s\n", k.Path(), k.Help)
	}
	return c.SendString(text.String())
}

// ServeAsset implements api.Pages.
func (Pages) ServeAsset(*fiber.Ctx) error { return fiber.NewError(http.StatusNotFound) }
