package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Options is what is known about a file.
type Options struct {
	// Name is the file's name, whose extension may be that of its format.
	//
	// Default: none, as of standard input.
	Name string
	// Format is the file's.
	//
	// Default: Auto.
	Format Format
	// Encoding is the WHATWG or IANA name of the file's character encoding. A byte order mark
	// overrides it.
	//
	// Default: UTF-8.
	Encoding string
	// UTF8: errors don't suggest to name another encoding; the file is part of a dataset.
	UTF8 bool
}

// Input is an open file of a known format. It is not safe for concurrent use.
type Input struct {
	// Format is Auto only if there are no rows.
	Format Format
	// Plain: the file is uncompressed UTF-8.
	Plain bool

	w        *window
	comma    byte // the separator of a line "sep=", else 0
	encoding string
	utf8     bool // Options.UTF8
	zstd     *zstd.Decoder
}

// Open detects the file's compression, encoding and format.
func Open(file io.Reader, o Options) (*Input, error) {
	in := &Input{w: newWindow(file), Plain: true, utf8: o.UTF8}
	if err := in.open(o); err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// Close frees the decoder. The caller closes the file.
func (in *Input) Close() {
	if in.zstd != nil {
		in.zstd.Close()
	}
}

// Read reads the file's bytes, decompressed and in UTF-8.
func (in *Input) Read(p []byte) (int, error) { return in.w.Read(p) }

func (in *Input) open(o Options) error {
	asked := o.Format != Auto && o.Format != ""
	if _, err := ParseFormat(string(o.Format)); asked && err != nil {
		return err
	}
	expected := o.Format
	if !asked {
		expected = byName(o.Name)
	}
	kind, err := in.decompress()
	switch {
	case err != nil:
		return err
	case kind == parquetFile && asked && expected != Parquet:
		return fmt.Errorf("it is a Parquet file: use --format parquet, not %s", expected)
	case kind == parquetFile && o.Encoding != "":
		return errors.New("it is a Parquet file, which has no encoding: leave --encoding out")
	case kind == parquetFile:
		in.Format = Parquet
		return nil
	case kind != "":
		return fmt.Errorf("it is %s: use CSV, TSV, NDJSON, JSON or Parquet, plain or compressed with gzip or zstd", kind)
	case expected == Parquet:
		return errors.New("it is no Parquet file: if it is text, say what with --format")
	}
	if err := in.decode(o.Encoding); err != nil {
		return err
	}
	in.Format, err = in.detect(expected, asked)
	return err
}

const (
	gzipFile    = "compressed with gzip"
	zstdFile    = "compressed with zstd"
	parquetFile = "a Parquet file"
	webPage     = "a web page, which servers send in the place of a file too"
)

// signatures are the first bytes of files that are not text.
var signatures = []struct{ start, kind string }{
	{"\x1f\x8b\x08", gzipFile},
	{"\x28\xb5\x2f\xfd", zstdFile},
	{"PAR1", parquetFile},
	{"PARE", "an encrypted Parquet file"},
	{"PK\x03\x04", "a ZIP archive or a spreadsheet"},
	{"\xd0\xcf\x11\xe0", "a spreadsheet"},
	{"\xfd7zXZ", "compressed with xz"},
	{"BZh", "compressed with bzip2"},
	{"\x04\x22\x4d\x18", "compressed with lz4"},
	{"ARROW1", "an Arrow file"},
	{"Obj\x01", "an Avro file"},
	{"SQLite format 3\x00", "a SQLite database"},
	{"<!DOCTYPE", webPage},
	{"<!doctype", webPage},
	{"<html", webPage},
	{"<HTML", webPage},
	{"<?xml", "XML"},
}

// fileKind returns the kind of a file by its first bytes, "" if it may be text. open: more bytes are
// needed.
func fileKind(start []byte) (kind string, open bool) {
	const beyond = 8 // bytes after the signature that must not look like text
	for _, m := range signatures {
		switch {
		case len(start) < len(m.start) && bytes.HasPrefix([]byte(m.start), start):
			open = true
		case !bytes.HasPrefix(start, []byte(m.start)):
		case m.start[0] < 'A' || m.start[0] > 'Z':
			return m.kind, false
		case len(start) < len(m.start)+beyond:
			open = true
		case bytes.ContainsFunc(start[len(m.start):len(m.start)+beyond], unprintable):
			return m.kind, false
		case m.start == "BZh" && string(start[4:10]) == "1AY&SY":
			return m.kind, false
		}
	}
	return "", open
}

func unprintable(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == '\uFFFD' }

func (in *Input) kind() (kind string, err error) {
	open := true
	err = in.w.peek(detectBytes, func(start []byte) bool {
		kind, open = fileKind(start)
		return !open
	})
	return kind, err
}

// decompress detects a compression and decompresses the input. It returns the kind of the inner file.
func (in *Input) decompress() (string, error) {
	kind, err := in.kind()
	if err != nil {
		return "", err
	}
	var out io.Reader
	switch kind {
	case gzipFile:
		out, err = gzip.NewReader(in.w)
	case zstdFile:
		in.zstd, err = zstd.NewReader(in.w, zstd.WithDecoderConcurrency(1))
		out = in.zstd
	default:
		return kind, nil
	}
	if err != nil {
		return "", fmt.Errorf("it looks %s: %w", kind, err)
	}
	in.w, in.Plain = newWindow(decompressor{out, kind}), false
	inner, err := in.kind()
	if inner == gzipFile || inner == zstdFile {
		inner = "compressed twice"
	}
	return inner, err
}

// decompressor adds the compression to the errors of a decompression.
type decompressor struct {
	io.Reader
	kind string
}

func (d decompressor) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("it is %s and cut off or damaged: %w", d.kind, err)
	}
	return n, err
}
