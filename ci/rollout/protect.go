package rollout

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Protected reports whether a stack is production: prod, production or prd, whole or as a segment of
// the name (estela-prod, acme/estela/prod, prod2). It errs on the side of yes: pre-prod is
// protected, preprod is not.
func Protected(stack string) bool {
	segments := strings.FieldsFunc(strings.ToLower(stack), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	for _, s := range segments {
		switch strings.TrimRight(s, "0123456789") {
		case "prod", "production", "prd":
			return true
		}
	}
	return false
}

// CheckDestroy refuses to destroy production. Pulumi's own protection is not enough: destroy deletes
// what it can before it meets a protected resource.
func CheckDestroy(stack string) error {
	if strings.TrimSpace(stack) == "" {
		return errors.New("destroy: no stack is named; name one by --stack")
	}
	if Protected(stack) {
		return fmt.Errorf("destroy stack %q: by its name it is production, and this command never destroys that; "+
			"if it must go, do it by hand with pulumi destroy and a second pair of eyes", stack)
	}
	return nil
}
