// Command ship makes one image index of OCI archives, one a platform, and pushes it.
//
//	ship [--http] REFERENCE ARCHIVE...
//	ship - ARCHIVE...
//
// It prints NAME@DIGEST; with "-" it pushes nothing and prints the digest alone. Times are taken out of the
// configs, because an engine writes the time of its own work there: what is left depends on the source
// alone, and so does the digest. Who may push is read from ~/.docker/config.json.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("ship", flag.ContinueOnError)
	set.SetOutput(stderr)
	plain := set.Bool("http", false, "the registry speaks plain HTTP")
	if err := set.Parse(args); err != nil || set.NArg() < 2 {
		fmt.Fprintln(stderr, "usage: ship [--http] REFERENCE|- ARCHIVE...")
		return 2
	}
	text, err := ship(ctx, set.Arg(0), *plain, set.Args()[1:])
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	fmt.Fprintln(stdout, text)
	return 0
}

// ship pushes an index of the archives and says what it is called now.
func ship(ctx context.Context, reference string, plain bool, archives []string) (string, error) {
	index, err := indexOf(archives)
	if err != nil {
		return "", err
	}
	digest, err := index.Digest()
	if err != nil {
		return "", fmt.Errorf("digest the index: %w", err)
	}
	if reference == "-" {
		return digest.String(), nil
	}
	return push(ctx, reference, plain, index, digest)
}

func push(ctx context.Context, reference string, plain bool, index v1.ImageIndex, digest v1.Hash) (string, error) {
	options := []name.Option{name.StrictValidation}
	if plain {
		options = append(options, name.Insecure)
	}
	tag, err := name.NewTag(reference, options...)
	if err != nil {
		return "", fmt.Errorf("reference %q: %w; want REGISTRY/NAME:TAG", reference, err)
	}
	err = remote.WriteIndex(tag, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return "", fmt.Errorf("push %s: %w", reference, err)
	}
	return tag.Context().Digest(digest.String()).String(), nil
}
