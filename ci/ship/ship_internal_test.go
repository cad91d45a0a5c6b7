package main

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// archive is an OCI archive as an engine writes one, made at some time.
func archive(t *testing.T, arch, content string, made time.Time) string {
	t.Helper()
	image, err := mutate.Append(empty.Image, mutate.Addendum{
		Layer:   static.NewLayer([]byte(content), types.OCIUncompressedLayer),
		History: v1.History{Created: v1.Time{Time: made}, CreatedBy: "test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: made}
	config.Config.Entrypoint = []string{"/estela"}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	at, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := at.AppendImage(image); err != nil {
		t.Fatal(err)
	}
	return packed(t, dir)
}

func packed(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.AddFS(os.DirFS(dir).(fs.ReadDirFS)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func shipped(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, &stdout, &stderr)
	return code, strings.TrimSpace(stdout.String()), stderr.String()
}

func TestTheDigestDependsOnTheContentAlone(t *testing.T) {
	t.Parallel()
	morning, evening := time.Unix(1e9, 0), time.Unix(2e9, 5)
	_, first, _ := shipped(t, "-", archive(t, "amd64", "same", morning))
	_, second, _ := shipped(t, "-", archive(t, "amd64", "same", evening))
	_, other, _ := shipped(t, "-", archive(t, "amd64", "other", morning))
	if !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(first) || first != second || first == other {
		t.Errorf("the same content: %s and %s; another: %s", first, second, other)
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New())
	defer server.Close()
	at := strings.TrimPrefix(server.URL, "http://") + "/estela"
	code, ref, errs := shipped(t, "--http", at+":v1",
		archive(t, "amd64", "a", time.Now()), archive(t, "arm64", "b", time.Now()))
	if code != 0 || !strings.HasPrefix(ref, at+"@sha256:") {
		t.Fatalf("exit %d, %q, %s", code, ref, errs)
	}
	digest, err := name.NewDigest(ref)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 2 || manifest.Manifests[1].Platform.String() != "linux/arm64" {
		t.Fatalf("%+v, %v", manifest, err)
	}
	image, err := remote.Image(digest, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}))
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil || config.Config.Entrypoint[0] != "/estela" || config.Created.Unix() != 0 || config.History[0].Created.Unix() != 0 {
		t.Errorf("%+v, %v", config, err)
	}
}

func TestWhatGoesWrongIsNamed(t *testing.T) {
	t.Parallel()
	good := archive(t, "amd64", "a", time.Now())
	junk := filepath.Join(t.TempDir(), "junk.tar")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "usage"},
		{[]string{"-"}, 2, "usage"},
		{[]string{"--no-such-flag", "-", good}, 2, "usage"},
		{[]string{"-", "no-such-file"}, 1, "no-such-file"},
		{[]string{"-", junk}, 1, junk},
		{[]string{"UPPER CASE", good}, 1, "UPPER CASE"},
		{[]string{"--http", "127.0.0.1:1/estela:v1", good}, 1, "127.0.0.1:1"},
	} {
		code, out, errs := shipped(t, c.args...)
		if code != c.code || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%q: exit %d, %q, %q", c.args, code, out, errs)
		}
	}
}

// An archive that names files outside is not written there.
func TestUnpackStaysInside(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "evil.tar")
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: "../../evil", Mode: 0o600, Size: 1, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := shipped(t, "-", file); code != 1 || !strings.Contains(errs, "escapes") {
		t.Errorf("exit %d, %q", code, errs)
	}
}
