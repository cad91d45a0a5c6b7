package main

import (
	"context"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/estela-dev/estela/services/internal/importer"
)

// input is the streams with a standard input that ends with ctx, and that says that it is read
// where somebody may not expect that.
func (f *fileFlags) input(ctx context.Context, s *streams) *streams {
	if f.File != "" && f.File != "-" {
		return s
	}
	if file, ok := s.in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		say(s.err, "reading %s from standard input: type or paste rows, end with Ctrl-D", f.Dataset)
	}
	out, in := io.Pipe()
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{in}, struct{ io.Reader }{s.in}, make([]byte, 1<<20))
		_ = in.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { _ = in.CloseWithError(ctx.Err()) })
	return &streams{in: out, out: s.out, err: s.err}
}

// info is that of the file that is read, nil if there is none.
func (f *fileFlags) info(s *streams) os.FileInfo {
	info, err := os.Stat(f.File)
	if file, ok := s.in.(*os.File); ok && (f.File == "" || f.File == "-") {
		info, err = file.Stat()
	}
	if err != nil {
		return nil
	}
	return info
}

// named is what is read, for messages.
func (f *fileFlags) named() string {
	if f.File == "" || f.File == "-" {
		return "standard input"
	}
	return f.File
}

// rows passes rows on; of a file of --errors, the events in it.
func (f *errorFlags) rows(fn func(importer.Document) error) func(importer.Document) error {
	if !f.FromErrors {
		return fn
	}
	return func(d importer.Document) error { return fn(mended(d)) }
}
