package jsontext

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// One bit pattern for eight bytes at once.
const (
	everyByte = 0x0101010101010101
	everyHigh = 0x8080808080808080
)

// Scan finds the first byte of p at or after i that ends the plain part of
// a JSON string: a quote, a backslash or a control character; len(p) if there
// is none. ascii reports whether every byte before it is below 0x80.
//
// It tests eight bytes at a time (see "Bit Twiddling Hacks", determine if a
// word has a byte less than n). A borrow can only mark bytes above a true hit,
// so the lowest mark is exact.
func Scan(p []byte, i int) (end int, ascii bool) {
	var seen uint64
	for ; i+8 <= len(p); i += 8 {
		w := binary.LittleEndian.Uint64(p[i:])
		quote, slash := w^everyByte*'"', w^everyByte*'\\'
		stop := ((quote-everyByte)&^quote | (slash-everyByte)&^slash | (w-everyByte*' ')&^w) & everyHigh
		if stop != 0 {
			at := bits.TrailingZeros64(stop) &^ 7
			seen |= w & (1<<at - 1)
			return i + at>>3, seen&everyHigh == 0
		}
		seen |= w
	}
	for ; i < len(p) && p[i] != '"' && p[i] != '\\' && p[i] >= ' '; i++ {
		seen |= uint64(p[i])
	}
	return i, seen&everyHigh == 0
}

// Fault is what is wrong with a JSON string.
type Fault uint8

// The faults, each with its reason as String.
const (
	Fine Fault = iota
	BadEscape
	HalfSurrogate
	NUL
	NotUTF8
)

func (f Fault) String() string {
	return [...]string{
		"",
		"holds an escape that JSON does not have",
		`holds half of a surrogate pair (\ud800 to \udfff), which is no character`,
		`holds the character U+0000 (\u0000), which a text column can't keep`,
		"holds bytes that are not UTF-8",
	}[f]
}

// unescape appends the text that raw, the inside of a JSON string, stands for.
func unescape(dst, raw []byte) ([]byte, Fault) {
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			from := i
			for i < len(raw) && raw[i] != '\\' {
				i++
			}
			dst = append(dst, raw[from:i]...)
			continue
		}
		r, n, fault := escape(raw[i:])
		if fault != Fine {
			return dst, fault
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst, Fine
}

// escape reads the escape that raw begins with and gives its length.
func escape(raw []byte) (r rune, n int, fault Fault) {
	if len(raw) < 2 {
		return 0, 0, BadEscape
	}
	switch raw[1] {
	case '"', '\\', '/':
		return rune(raw[1]), 2, Fine
	case 'b':
		return '\b', 2, Fine
	case 'f':
		return '\f', 2, Fine
	case 'n':
		return '\n', 2, Fine
	case 'r':
		return '\r', 2, Fine
	case 't':
		return '\t', 2, Fine
	case 'u':
		return unicodeEscape(raw)
	default:
		return 0, 0, BadEscape
	}
}

func unicodeEscape(raw []byte) (r rune, n int, fault Fault) {
	r, ok := hex4(raw)
	switch {
	case !ok:
		return 0, 0, BadEscape
	case r == 0:
		return 0, 0, NUL
	case !utf16.IsSurrogate(r):
		return r, 6, Fine
	}
	low, ok := hex4(raw[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0, HalfSurrogate
	}
	return r, 12, Fine
}

// hex4 reads \uXXXX.
func hex4(raw []byte) (rune, bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, b := range raw[2:6] {
		digit := HexDigits[b]
		if digit > 15 {
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	return r, true
}

// HexDigits gives the value of a hex digit, 255 for any other byte.
var HexDigits = func() (table [256]uint8) {
	for i := range table {
		table[i] = 255
	}
	for i := range 10 {
		table['0'+i] = uint8(i)
	}
	for i := range 6 {
		table['a'+i], table['A'+i] = uint8(10+i), uint8(10+i)
	}
	return table
}()

// Plain gives the text of raw, the inside of a JSON string whose plain
// parts were scanned: raw itself, or, if it has escapes, a copy at the end of
// buffer, which is returned grown.
func Plain(buffer, raw []byte, ascii, escaped bool) (text, grown []byte, fault Fault) {
	if !ascii && !utf8.Valid(raw) {
		return nil, buffer, NotUTF8
	}
	if !escaped {
		return raw, buffer, Fine
	}
	from := len(buffer)
	buffer, fault = unescape(buffer, raw)
	if fault != Fine {
		return nil, buffer[:from], fault
	}
	return buffer[from:len(buffer):len(buffer)], buffer, Fine
}

// End finds the closing quote of the string whose inside begins at i. It
// reports false if there is none before the end or before a control character.
func End(p []byte, i int) (end int, ascii, escaped, ok bool) {
	ascii = true
	for {
		stop, plain := Scan(p, i)
		ascii = ascii && plain
		switch {
		case stop >= len(p):
			return len(p), ascii, escaped, false
		case p[stop] == '"':
			return stop, ascii, escaped, true
		case p[stop] != '\\':
			return stop, ascii, escaped, false
		}
		escaped = true
		i = stop + 2 // whatever the backslash escapes: unescape reads it
	}
}
