package pin_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/estela-dev/estela/ci/pin"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestAt(t *testing.T) {
	t.Parallel()
	image := pin.Image{Host: "docker.io", Name: "library/golang", Tag: "1.26"}
	pinned := image
	pinned.Digest = digest
	for _, c := range []struct {
		image  pin.Image
		mirror pin.Mirror
		want   string
	}{
		{image, pin.Mirror{}, "docker.io/library/golang:1.26"},
		{pinned, pin.Mirror{}, "docker.io/library/golang:1.26@" + digest},
		{pinned, pin.Mirror{Prefix: "registry.example:5000/hub"}, "registry.example:5000/hub/library/golang:1.26@" + digest},
		{pinned, pin.Mirror{Prefix: "registry.example/hub/"}, "registry.example/hub/library/golang:1.26@" + digest},
		{pinned, pin.Mirror{Prefix: "127.0.0.1:5000", ByTag: true}, "127.0.0.1:5000/library/golang:1.26"},
	} {
		if got := c.image.At(c.mirror); got != c.want {
			t.Errorf("%+v at %+v: %s, want %s", c.image, c.mirror, got, c.want)
		}
	}
}

func TestMirrorIsChecked(t *testing.T) {
	t.Parallel()
	for _, m := range []pin.Mirror{{}, {Prefix: "127.0.0.1:5000"}, {Prefix: "registry.example/hub", ByTag: true}} {
		if err := m.Check(); err != nil {
			t.Errorf("%+v: %v", m, err)
		}
	}
	for _, m := range []pin.Mirror{
		{ByTag: true},
		{Prefix: "https://registry.example"},
		{Prefix: "registry.example/hub:tag"},
		{Prefix: "user@registry.example"},
		{Prefix: "a b"},
	} {
		if m.Check() == nil {
			t.Errorf("%+v is taken", m)
		}
	}
}

func TestFindServer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "redis-7.2", "redis-8", "valkey-8", "valkey-9"} {
		s, err := pin.FindServer(name)
		if err != nil || name != "" && s.Name != name {
			t.Errorf("%q: %+v, %v", name, s, err)
		}
	}
	if s, _ := pin.FindServer(""); s.Name != "redis-7.2" {
		t.Errorf("the default is %q", s.Name)
	}
	if _, err := pin.FindServer("redis-9"); err == nil || !strings.Contains(err.Error(), "valkey-9") {
		t.Errorf("the error doesn't say what there is: %v", err)
	}
}

// A pin that leaves open what it gets is none.
func TestPinsAreExact(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{pin.Actionlint, pin.Cosign, pin.GolangciLint, pin.Govulncheck, pin.Grype, pin.Syft} {
		if !regexp.MustCompile(`^[a-z0-9./-]+@v\d+\.\d+\.\d+$`).MatchString(tool) {
			t.Errorf("%s is not an exact version", tool)
		}
	}
	images := []pin.Image{pin.Golang, pin.Distroless, pin.Pulumi}
	for _, s := range pin.Servers() {
		images = append(images, s.Image)
	}
	for _, image := range images {
		if image.Tag == "" || image.Tag == "latest" {
			t.Errorf("%s has the tag %q", image.Name, image.Tag)
		}
		if image.Digest != "" && !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(image.Digest) {
			t.Errorf("%s has the digest %q", image.Name, image.Digest)
		}
	}
}
