package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"
)

// byteOrderMarks are ordered so that none is a prefix of a later one.
var byteOrderMarks = []struct {
	mark, name string
	encoding   encoding.Encoding // nil: UTF-8
}{
	{"\xef\xbb\xbf", "UTF-8", nil},
	{"\xff\xfe\x00\x00", "UTF-32", utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)},
	{"\x00\x00\xfe\xff", "UTF-32", utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)},
	{"\xff\xfe", "UTF-16", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
	{"\xfe\xff", "UTF-16", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
}

// decode converts the rest of the input to UTF-8.
func (in *Input) decode(name string) error {
	from, err := encodingOf(name)
	if err != nil {
		return err
	}
	err = in.w.peek(detectBytes, func(start []byte) bool {
		for _, m := range byteOrderMarks {
			if len(start) < len(m.mark) && strings.HasPrefix(m.mark, string(start)) {
				return false
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, m := range byteOrderMarks {
		if bytes.HasPrefix(in.w.rest(), []byte(m.mark)) {
			in.w.skip(len(m.mark))
			name, from = m.name, m.encoding
			break
		}
	}
	if from != nil {
		in.encoding, in.Plain = name, false
		in.w = newWindow(transform.NewReader(in.w, &undecodableMarker{from.NewDecoder()}))
	}
	return nil
}

// ErrEncoding is the error of an unknown encoding.
var ErrEncoding = errors.New("unknown encoding")

// encodingOf returns the encoding with the name, nil for UTF-8.
func encodingOf(name string) (encoding.Encoding, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // nothing is to be decoded
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		e, err = ianaindex.IANA.Encoding(name)
	}
	if err != nil || e == nil {
		return nil, fmt.Errorf("%w %q: use a name such as windows-1252, iso-8859-15, utf-16le, shift_jis or gb18030", ErrEncoding, name)
	}
	if e == unicode.UTF8 {
		return nil, nil //nolint:nilnil // as above
	}
	return e, nil
}

// undecodableMarker replaces the U+FFFD that decoders write for undecodable bytes by invalid UTF-8:
// U+FFFD would pass for a character of the file.
type undecodableMarker struct{ transform.Transformer }

var (
	replacement  = []byte("\uFFFD")
	undecodable  = []byte("\xff\xff\xff")
	errUndecoded = errors.New("holds bytes that are not UTF-8: say which encoding the file is in, such as --encoding windows-1252")
	errNotUTF8   = errors.New("holds bytes that are not UTF-8: save the file as UTF-8")
)

func (m *undecodableMarker) Transform(dst, src []byte, end bool) (nDst, nSrc int, err error) {
	nDst, nSrc, err = m.Transformer.Transform(dst, src, end)
	for rest := dst[:nDst]; ; {
		at := bytes.Index(rest, replacement)
		if at < 0 {
			return nDst, nSrc, err
		}
		rest = rest[at:]
		copy(rest, undecodable)
	}
}

// encodingError returns the error of a row with undecodable bytes.
func (in *Input) encodingError() error {
	switch {
	case in.encoding != "":
	case in.utf8:
		return errNotUTF8
	default:
		return errUndecoded
	}
	return fmt.Errorf("holds bytes that are no character in %s, or U+FFFD", in.encoding)
}
