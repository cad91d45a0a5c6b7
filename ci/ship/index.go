package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// indexOf is the index of the archives' images, in their order.
func indexOf(archives []string) (v1.ImageIndex, error) {
	var addenda []mutate.IndexAddendum
	for _, archive := range archives {
		image, err := read(archive)
		if err != nil {
			return nil, fmt.Errorf("read OCI archive %s: %w", archive, err)
		}
		image, platform, err := timeless(image)
		if err != nil {
			return nil, fmt.Errorf("take the times out of %s: %w", archive, err)
		}
		addenda = append(addenda, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	return mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), addenda...), nil
}

// read unpacks an OCI archive and opens its only image.
func read(archive string) (v1.Image, error) {
	dir, err := os.MkdirTemp("", "ship-") // stays until the container goes: layers are read when pushed
	if err != nil {
		return nil, err
	}
	if err := unpack(archive, dir); err != nil {
		return nil, err
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("it has %d images, want one", len(manifest.Manifests))
	}
	return index.Image(manifest.Manifests[0].Digest)
}

// unpack writes the archive's files into dir and nowhere else.
func unpack(archive, dir string) (err error) {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for reader := tar.NewReader(file); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag == tar.TypeReg {
			if err := write(root, path.Clean(header.Name), reader); err != nil {
				return err
			}
		}
	}
}

func write(root *os.Root, name string, content io.Reader) (err error) {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := root.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = io.Copy(file, content)
	return err
}

// timeless is the image without the times of its making, and what platform it is for.
func timeless(image v1.Image) (v1.Image, *v1.Platform, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, nil, err
	}
	config = config.DeepCopy()
	epoch := v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Created = epoch
	for i := range config.History {
		config.History[i].Created = epoch
	}
	image, err = mutate.ConfigFile(image, config)
	return image, config.Platform(), err
}
