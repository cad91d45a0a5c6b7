package rollout

import (
	"fmt"
	"regexp"
)

// A first character that is no hyphen keeps an image from being read as a flag.
var pinnedImage = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}$`)

// placeholder stands for an image in a preview of a stack that serves none: without one, nothing that runs an
// image would be shown.
const placeholder = "example.invalid/estela@sha256:0000000000000000000000000000000000000000000000000000000000000000"

// checkImage refuses an image that may be another one tomorrow: a way back needs the exact bytes.
func checkImage(image string) error {
	if !pinnedImage.MatchString(image) {
		return fmt.Errorf("image %q: it is not pinned by its digest; give it as NAME@sha256:… with 64 hex digits, as publish prints it", image)
	}
	return nil
}
