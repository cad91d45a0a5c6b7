package ingest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"
)

// maxWindow is the largest window of a zstd body, as RFC 9659 has it for HTTP.
const maxWindow = 8 << 20

// body reads a request's body, decoded. Its errors are problems.
type body struct {
	cfg      *Config
	wire     io.Reader // nil: there is no body
	decoded  io.Reader
	close    func() // returns the decoder to its pool
	expected int64  // bytes on the wire, -1 if unknown
	received int64
	size     int64 // decoded
	err      error // of wire
}

// newBody prepares to read the body of c.
func newBody(cfg *Config, c *fasthttp.RequestCtx) (*body, error) {
	b := &body{cfg: cfg, wire: c.RequestBodyStream(), close: func() {}, expected: int64(c.Request.Header.ContentLength())}
	if b.expected > cfg.MaxBody {
		return nil, b.tooLarge()
	}
	if err := c.Conn().SetReadDeadline(time.Now().Add(cfg.BodyTimeout)); err != nil {
		return nil, err
	}
	coding := strings.ToLower(strings.TrimSpace(string(c.Request.Header.ContentEncoding())))
	if len(c.Request.Header.PeekAll(fiber.HeaderContentEncoding)) > 1 {
		coding = "several"
	}
	var err error
	switch coding {
	case "", "identity":
		b.decoded = wire{b}
	case "gzip", "x-gzip":
		err = b.gzip()
	case "zstd":
		err = b.zstd()
	default:
		return nil, unsupportedType.New("", "The Content-Encoding is neither gzip nor zstd.")
	}
	if err != nil {
		return nil, b.problem(err)
	}
	return b, nil
}

var (
	gzips = sync.Pool{New: func() any { return new(gzip.Reader) }}
	zstds = sync.Pool{New: func() any {
		r, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		return r
	}}
)

func (b *body) gzip() error {
	r := gzips.Get().(*gzip.Reader) //nolint:forcetypeassert // the pool's type
	if err := r.Reset(wire{b}); err != nil {
		gzips.Put(r)
		return err
	}
	b.decoded, b.close = r, func() { gzips.Put(r) }
	return nil
}

func (b *body) zstd() error {
	r := zstds.Get().(*zstd.Decoder) //nolint:forcetypeassert // the pool's type
	if err := r.Reset(wire{b}); err != nil {
		return err
	}
	b.decoded, b.close = r, func() {
		if r.Reset(nil) == nil {
			zstds.Put(r)
		}
	}
	return nil
}

// wire reads the body as it was sent.
type wire struct{ *body }

// Read implements io.Reader.
func (w wire) Read(p []byte) (n int, err error) {
	b := w.body
	if b.wire == nil {
		return 0, io.EOF
	}
	n, err = b.wire.Read(p)
	b.received += int64(n)
	switch {
	case b.received > b.cfg.MaxBody:
		err = b.tooLarge()
	case errors.Is(err, io.EOF) && b.expected >= 0 && b.received < b.expected:
		err = io.ErrUnexpectedEOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.decoded.Read(p)
	b.size += int64(n)
	switch {
	case b.size == int64(n) && n > 0 && p[0] == 0x1f: // as gzip begins, and no JSON
		return 0, invalidBody.New("", "The body is compressed, and its Content-Encoding does not say so: send gzip there.")
	case b.size > b.cfg.MaxDecoded:
		return 0, tooLarge.New("", fmt.Sprintf("The body has more than %d bytes without its compression. Send several requests.", b.cfg.MaxDecoded))
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	}
	return 0, b.problem(err)
}

func (b *body) tooLarge() error {
	return tooLarge.New("", fmt.Sprintf("The body has more than %d bytes. Send several requests.", b.cfg.MaxBody))
}

// problem is the problem of an error of reading; what the connection says goes before what a decoder makes
// of it.
func (b *body) problem(err error) error {
	if b.err != nil {
		err = b.err
	}
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return tooSlow.WithCause(err, fmt.Sprintf("The body did not arrive within %s.", b.cfg.BodyTimeout))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return invalidBody.WithCause(err, "The body ends too early.")
	case b.err != nil:
		return asProblem(err, "The body could not be read to its end.")
	default:
		return invalidBody.WithCause(err, "The body is not compressed as its Content-Encoding says, or with a window above 8 MiB.")
	}
}
