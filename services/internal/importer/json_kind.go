package importer

import (
	"bytes"
	"math/bits"
	"strconv"
	"strings"

	"github.com/estela-dev/estela/services/internal/result"
)

// jsonKind is a column type that represents its values exactly.
type jsonKind uint8

const (
	jsonNull jsonKind = iota // no value yet
	jsonBoolean
	jsonBigInt
	jsonHugeInt
	jsonDouble
	jsonText
	jsonAny // as JSON
)

func (k jsonKind) String() string {
	return [...]string{"VARCHAR", "BOOLEAN", "BIGINT", "HUGEINT", "DOUBLE", "VARCHAR", "JSON"}[k]
}

// with returns the type for values of both.
func (k jsonKind) with(other jsonKind, wide bool) jsonKind {
	low, high := min(k, other), max(k, other)
	switch {
	case low == jsonNull, low == high:
		return high
	case low == jsonBigInt && high == jsonHugeInt:
		return jsonHugeInt
	case low == jsonBigInt && high == jsonDouble && !wide:
		return jsonDouble
	default:
		return jsonAny
	}
}

// kindOf returns the type of a JSON value. wide: it is an integer that a double may not represent.
func kindOf(value []byte) (kind jsonKind, wide bool) {
	switch value[0] {
	case '"':
		return jsonText, false
	case 't', 'f':
		return jsonBoolean, false
	case 'n':
		return jsonNull, false
	case '{', '[':
		return jsonAny, false
	}
	const safeDigits, maxDigits, maxExact = 15, 38, 1 << 53
	if len(value) <= safeDigits && bytes.IndexByte(value, '.') < 0 && !bytes.ContainsAny(value, "eE") && string(value) != "-0" {
		return jsonBigInt, false
	}
	if bytes.ContainsAny(value, ".eE") || string(value) == "-0" {
		if isDouble(string(value)) {
			return jsonDouble, false
		}
		return jsonAny, false
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	switch {
	case err == nil:
		return jsonBigInt, n > maxExact || n < -maxExact
	case len(bytes.TrimPrefix(value, []byte("-"))) <= maxDigits:
		return jsonHugeInt, true
	default:
		return jsonAny, false
	}
}

// isDouble reports whether the nearest double, in its shortest form, has all digits of the number.
func isDouble(number string) bool {
	x, err := strconv.ParseFloat(number, 64)
	return err == nil && significant(number) == significant(strconv.FormatFloat(x, 'e', -1, 64))
}

// significant normalizes a number without its sign: 0.d…e±n without leading or trailing zeros.
func significant(number string) string {
	number = strings.TrimPrefix(number, "-")
	exponent := 0
	if at := strings.IndexAny(number, "eE"); at >= 0 {
		exponent, _ = strconv.Atoi(number[at+1:])
		number = number[:at]
	}
	whole, fraction, _ := strings.Cut(number, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	exponent += len(whole) - (len(whole) + len(fraction) - len(digits))
	if digits = strings.TrimRight(digits, "0"); digits == "" {
		return "0"
	}
	return digits + "e" + strconv.Itoa(exponent)
}

// parseHuge parses an integer of at most 38 digits.
func parseHuge(text string) result.Int128 {
	digits := strings.TrimPrefix(text, "-")
	var h result.Int128
	for _, c := range []byte(digits) {
		high, low := bits.Mul64(h.Low, 10)
		low, carry := bits.Add64(low, uint64(c-'0'), 0)
		h = result.Int128{Low: low, High: h.High*10 + int64(high+carry)}
	}
	if len(digits) < len(text) {
		low, borrow := bits.Sub64(0, h.Low, 0)
		h = result.Int128{Low: low, High: -h.High - int64(borrow)}
	}
	return h
}
