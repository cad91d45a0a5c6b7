// Package decimal holds numbers of JSON exactly as they were written, compares and divides
// them, and reads them as floats.
package decimal

import (
	"bytes"
	"cmp"
	"math/bits"
	"strconv"
	"strings"
	"unsafe"

	"github.com/estela-dev/estela/services/internal/jsontext"
)

// maxExponent is where exponents saturate: far beyond any double, far below an
// overflow of the sums made with them.
const maxExponent = 1 << 40

// Decimal is a JSON number as it was written, exactly: digits × 10^exponent.
// Digits have no zero at either end; a zero has none at all.
type Decimal struct {
	negative bool
	// Digits may lie in the buffer that Parse was given.
	Digits   []byte
	exponent int64
}

// Parse reads a valid JSON number. The digits lie in buffer, if it is
// large enough.
func Parse(buffer, raw []byte) Decimal {
	d := Decimal{Digits: buffer[:0]}
	if raw[0] == '-' {
		d.negative, raw = true, raw[1:]
	}
	fraction := false
	for i, b := range raw {
		if b == '.' {
			fraction = true
			continue
		}
		if b|0x20 == 'e' {
			d.exponent += parseExponent(raw[i+1:])
			break
		}
		if fraction {
			d.exponent--
		}
		if b != '0' || len(d.Digits) > 0 {
			d.Digits = append(d.Digits, b)
		}
	}
	for n := len(d.Digits); n > 0 && d.Digits[n-1] == '0'; n-- {
		d.Digits = d.Digits[:n-1]
		d.exponent++
	}
	if len(d.Digits) == 0 {
		d.negative, d.exponent = false, 0
	}
	return d
}

func parseExponent(raw []byte) int64 {
	negative := raw[0] == '-'
	if negative || raw[0] == '+' {
		raw = raw[1:]
	}
	var n int64
	for _, b := range raw {
		n = min(n*10+int64(b-'0'), maxExponent)
	}
	if negative {
		return -n
	}
	return n
}

// IsZero reports whether d is 0 or -0.
func (d Decimal) IsZero() bool { return len(d.Digits) == 0 }

// IsInteger reports whether d has no fraction, however it is written.
func (d Decimal) IsInteger() bool { return d.exponent >= 0 }

// Compare gives -1, 0 or +1.
func (d Decimal) Compare(other Decimal) int {
	if d.Sign() != other.Sign() {
		return cmp.Compare(d.Sign(), other.Sign())
	}
	return d.Sign() * cmp.Or(
		cmp.Compare(d.exponent+int64(len(d.Digits)), other.exponent+int64(len(other.Digits))),
		bytes.Compare(d.Digits, other.Digits),
	)
}

// Sign is -1, 0 or +1.
func (d Decimal) Sign() int {
	switch {
	case d.IsZero():
		return 0
	case d.negative:
		return -1
	default:
		return 1
	}
}

// Int64 is the value if it is an integer of 64 bits.
func (d Decimal) Int64() (int64, bool) {
	if !d.IsInteger() || d.exponent+int64(len(d.Digits)) > 19 {
		return 0, false
	}
	n := d.mod(0) // below 10^19: it fits 64 bits
	if d.negative {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}

// mod is the remainder of digits × 10^exponent, the exponent at least 0, divided
// by m; 0 stands for 2^64.
func (d Decimal) mod(m uint64) uint64 {
	var n uint64
	for _, b := range d.Digits {
		n = mulAdd(n, 10, uint64(b-'0'), m)
	}
	scale := mulAdd(0, 0, 1, m)
	base := mulAdd(0, 0, 10, m)
	for e := d.exponent; e > 0; e >>= 1 {
		if e&1 == 1 {
			scale = mulAdd(scale, base, 0, m)
		}
		base = mulAdd(base, base, 0, m)
	}
	return mulAdd(n, scale, 0, m)
}

// mulAdd is (a×b + c) modulo m; a and b are below m, c is small.
func mulAdd(a, b, c, m uint64) uint64 {
	high, low := bits.Mul64(a, b)
	low, carry := bits.Add64(low, c, 0)
	if m == 0 {
		return low
	}
	return bits.Rem64(high+carry, low, m)
}

// Divisor is a multipleOf: digits × 10^exponent with the digits as a number.
type Divisor struct {
	digits   uint64
	exponent int64
}

// MaxDivisorDigits is what fits 64 bits.
const MaxDivisorDigits = 18

// Divisor is d as one; false if it is not above 0 or has too many digits.
func (d Decimal) Divisor() (Divisor, bool) {
	if d.Sign() <= 0 || len(d.Digits) > MaxDivisorDigits {
		return Divisor{}, false
	}
	digits, _ := Decimal{Digits: d.Digits}.Int64()
	return Divisor{uint64(digits), d.exponent}, true
}

// Divides reports whether d is a whole multiple. The digits of d don't end in 0,
// so that d is none when its last digit stands after the divisor's.
func (v Divisor) Divides(d Decimal) bool {
	if d.IsZero() {
		return true
	}
	if d.exponent < v.exponent {
		return false
	}
	d.exponent -= v.exponent
	return d.mod(v.digits) == 0
}

// Append writes the number in the one form that equal numbers share.
func (d Decimal) Append(dst []byte) []byte {
	if d.negative {
		dst = append(dst, '-')
	}
	dst = append(append(dst, '0'), d.Digits...)
	return strconv.AppendInt(append(dst, 'e'), d.exponent, 10)
}

// maxShort is the length below which a number without an exponent Fits a
// double for sure.
const maxShort = 300

// Fits reports whether a valid JSON number is within a double's range.
func Fits(raw []byte) bool {
	if len(raw) < maxShort && bytes.IndexByte(raw, 'e') < 0 && bytes.IndexByte(raw, 'E') < 0 {
		return true
	}
	_, ok := ParseFloat(raw)
	return ok
}

// ParseFloat gives the double nearest to a valid JSON number and whether it is
// within range.
func ParseFloat(raw []byte) (float64, bool) {
	// A view of the bytes that ends with the call saves a copy for each number.
	x, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(raw), len(raw)), 64)
	return x, err == nil
}

// powersOfTen are the ones a double holds exactly.
var powersOfTen = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
	1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// ShortFloat reads the JSON number that begins at i, if it is as simple as most
// are: at most 15 digits and no exponent, so that one exact division gives the
// nearest double (Clinger, "How to read floating point numbers accurately").
func ShortFloat(p []byte, i int) (x float64, end int, ok bool) {
	end, ok = jsontext.Number(p, i)
	if !ok || end-i > 15 {
		return 0, end, false
	}
	raw := p[i:end]
	negative := raw[0] == '-'
	if negative {
		raw = raw[1:]
	}
	var n, places uint64
	point := uint64(0)
	for _, b := range raw {
		switch {
		case b == '.':
			point = 1
		case b|0x20 == 'e':
			return 0, end, false
		default:
			n = n*10 + uint64(b-'0')
			places += point
		}
	}
	x = float64(n) / powersOfTen[places]
	if negative {
		x = -x
	}
	return x, end, true
}

const (
	minInt64 = -1 << 63
	maxInt64 = 1<<63 - 1
)

// Floor is the highest integer not above d. One that 64 bits can't hold gives
// out: -1 below their range, +1 above it.
func (d Decimal) Floor() (n int64, out int) {
	n, exact, out := d.truncate()
	if exact || !d.negative || out != 0 {
		return n, out
	}
	if n == minInt64 {
		return 0, -1
	}
	return n - 1, 0
}

// Ceil is the lowest integer not below d; out is as for floor.
func (d Decimal) Ceil() (n int64, out int) {
	d.negative = !d.negative && !d.IsZero()
	n, out = d.Floor()
	if n == minInt64 && out == 0 {
		return 0, 1
	}
	return -n, -out
}

// truncate cuts the fraction off; out is as for floor.
func (d Decimal) truncate() (n int64, exact bool, out int) {
	exact = d.exponent >= 0
	if !exact {
		d.Digits = d.Digits[:max(0, int64(len(d.Digits))+d.exponent)]
		d.exponent = 0
	}
	n, ok := d.Int64()
	if !ok {
		return 0, exact, d.Sign()
	}
	return n, exact, 0
}

// String is the number as messages show it.
func (d Decimal) String() string {
	switch {
	case d.IsZero():
		return "0"
	case d.exponent > 20 || d.exponent < -20:
		return string(d.Append(nil))
	}
	text := ""
	if d.negative {
		text = "-"
	}
	digits := string(d.Digits)
	if d.exponent >= 0 {
		return text + digits + strings.Repeat("0", int(d.exponent))
	}
	places := int(-d.exponent)
	if missing := places + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	return text + digits[:len(digits)-places] + "." + digits[len(digits)-places:]
}

// Float is the nearest float.
func (d Decimal) Float() float64 {
	x, _ := ParseFloat([]byte(d.String()))
	return x
}
