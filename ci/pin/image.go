package pin

import (
	"fmt"
	"regexp"
	"strings"
)

// Image is a public image.
type Image struct {
	// Host is the registry's, Name the image's on it.
	Host, Name string
	// Tag is for people, and for mirrors that are asked by tag.
	Tag string
	// Digest, of the index of all platforms, is what is pulled. Empty: the tag is.
	Digest string
}

// Mirror says where images come from instead of their public registries.
type Mirror struct {
	// Prefix is a registry with an optional path, such as "registry.example:5000/hub".
	// An image keeps its name and loses its own registry. Empty: no mirror.
	Prefix string
	// ByTag asks for images by tag, not by digest: for a mirror that made them anew.
	ByTag bool
}

// At is the reference to pull the image by.
func (i Image) At(m Mirror) string {
	host := i.Host
	if m.Prefix != "" {
		host = strings.TrimSuffix(m.Prefix, "/")
	}
	ref := host + "/" + i.Name + ":" + i.Tag
	if i.Digest != "" && !m.ByTag {
		ref += "@" + i.Digest
	}
	return ref
}

var prefix = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9._/-]*)?$`)

// Check says what is wrong with a mirror.
func (m Mirror) Check() error {
	switch {
	case m.Prefix == "" && m.ByTag:
		return fmt.Errorf("images by tag: only from a mirror; name one, or leave the digests as they are")
	case m.Prefix != "" && !prefix.MatchString(m.Prefix):
		return fmt.Errorf("mirror %q: want a registry with an optional path and no scheme, such as registry.example:5000/hub", m.Prefix)
	}
	return nil
}
