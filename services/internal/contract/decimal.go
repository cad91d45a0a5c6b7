package contract

import (
	"bytes"
	"cmp"
	"math/bits"
	"strconv"
	"strings"
	"unsafe"
)

// maxExponent is where exponents saturate: far beyond any double, far below an
// overflow of the sums made with them.
const maxExponent = 1 << 40

// decimal is a JSON number as it was written, exactly: digits × 10^exponent.
// Digits have no zero at either end; a zero has none at all.
type decimal struct {
	negative bool
	digits   []byte
	exponent int64
}

// parseDecimal reads a valid JSON number. The digits lie in buffer, if it is
// large enough.
func parseDecimal(buffer, raw []byte) decimal {
	d := decimal{digits: buffer[:0]}
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
		if b != '0' || len(d.digits) > 0 {
			d.digits = append(d.digits, b)
		}
	}
	for n := len(d.digits); n > 0 && d.digits[n-1] == '0'; n-- {
		d.digits = d.digits[:n-1]
		d.exponent++
	}
	if len(d.digits) == 0 {
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

func (d decimal) isZero() bool    { return len(d.digits) == 0 }
func (d decimal) isInteger() bool { return d.exponent >= 0 }

// compare gives -1, 0 or +1.
func (d decimal) compare(other decimal) int {
	if d.sign() != other.sign() {
		return cmp.Compare(d.sign(), other.sign())
	}
	return d.sign() * cmp.Or(
		cmp.Compare(d.exponent+int64(len(d.digits)), other.exponent+int64(len(other.digits))),
		bytes.Compare(d.digits, other.digits),
	)
}

func (d decimal) sign() int {
	switch {
	case d.isZero():
		return 0
	case d.negative:
		return -1
	default:
		return 1
	}
}

// int64 is the value if it is an integer of 64 bits.
func (d decimal) int64() (int64, bool) {
	if !d.isInteger() || d.exponent+int64(len(d.digits)) > 19 {
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
func (d decimal) mod(m uint64) uint64 {
	var n uint64
	for _, b := range d.digits {
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

// divisor is a multipleOf: digits × 10^exponent with the digits as a number.
type divisor struct {
	digits   uint64
	exponent int64
}

// divides reports whether d is a whole multiple. The digits of d don't end in 0,
// so that d is none when its last digit stands behind the divisor's.
func (v divisor) divides(d decimal) bool {
	if d.isZero() {
		return true
	}
	if d.exponent < v.exponent {
		return false
	}
	d.exponent -= v.exponent
	return d.mod(v.digits) == 0
}

// text is the number in the one form that equal numbers share.
func (d decimal) appendTo(dst []byte) []byte {
	if d.negative {
		dst = append(dst, '-')
	}
	dst = append(append(dst, '0'), d.digits...)
	return strconv.AppendInt(append(dst, 'e'), d.exponent, 10)
}

// scanNumber finds the end of the JSON number that begins at i. It reports false
// if there is none; end is then where it goes wrong.
func scanNumber(p []byte, i int) (end int, ok bool) {
	if i < len(p) && p[i] == '-' {
		i++
	}
	from := i
	if i = scanDigits(p, i); i == from || p[from] == '0' && i > from+1 {
		return i, false
	}
	if i < len(p) && p[i] == '.' {
		from = i + 1
		if i = scanDigits(p, from); i == from {
			return i, false
		}
	}
	if i < len(p) && p[i]|0x20 == 'e' {
		if i++; i < len(p) && (p[i] == '+' || p[i] == '-') {
			i++
		}
		from = i
		if i = scanDigits(p, i); i == from {
			return i, false
		}
	}
	return i, true
}

func scanDigits(p []byte, i int) int {
	for i < len(p) && p[i]-'0' <= 9 {
		i++
	}
	return i
}

// maxShort is the length below which a number without an exponent fits a
// double for sure.
const maxShort = 300

// fits reports whether a valid JSON number is within a double's range.
func fits(raw []byte) bool {
	if len(raw) < maxShort && bytes.IndexByte(raw, 'e') < 0 && bytes.IndexByte(raw, 'E') < 0 {
		return true
	}
	_, ok := parseDouble(raw)
	return ok
}

// parseDouble gives the double nearest to a valid JSON number and whether it is
// within range.
func parseDouble(raw []byte) (float64, bool) {
	// A view of the bytes that ends with the call saves a copy for each number.
	x, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(raw), len(raw)), 64)
	return x, err == nil
}

// powersOfTen are the ones a double holds exactly.
var powersOfTen = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
	1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// shortDouble reads the JSON number that begins at i, if it is as simple as most
// are: at most 15 digits and no exponent, so that one exact division gives the
// nearest double (Clinger, "How to read floating point numbers accurately").
func shortDouble(p []byte, i int) (x float64, end int, ok bool) {
	end, ok = scanNumber(p, i)
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

// floor is the highest integer not above d. One that 64 bits can't hold gives
// out: -1 below their range, +1 above it.
func (d decimal) floor() (n int64, out int) {
	n, exact, out := d.truncate()
	if exact || !d.negative || out != 0 {
		return n, out
	}
	if n == minInt64 {
		return 0, -1
	}
	return n - 1, 0
}

// ceil is the lowest integer not below d; out is as for floor.
func (d decimal) ceil() (n int64, out int) {
	d.negative = !d.negative && !d.isZero()
	n, out = d.floor()
	if n == minInt64 && out == 0 {
		return 0, 1
	}
	return -n, -out
}

// truncate cuts the fraction off; out is as for floor.
func (d decimal) truncate() (n int64, exact bool, out int) {
	exact = d.exponent >= 0
	if !exact {
		d.digits = d.digits[:max(0, int64(len(d.digits))+d.exponent)]
		d.exponent = 0
	}
	n, ok := d.int64()
	if !ok {
		return 0, exact, d.sign()
	}
	return n, exact, 0
}

// String is the number as messages show it.
func (d decimal) String() string {
	switch {
	case d.isZero():
		return "0"
	case d.exponent > 20 || d.exponent < -20:
		return string(d.appendTo(nil))
	}
	text := ""
	if d.negative {
		text = "-"
	}
	digits := string(d.digits)
	if d.exponent >= 0 {
		return text + digits + strings.Repeat("0", int(d.exponent))
	}
	places := int(-d.exponent)
	if missing := places + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	return text + digits[:len(digits)-places] + "." + digits[len(digits)-places:]
}
