package importer

import (
	"bytes"
	"math/bits"
	"strconv"
	"strings"

	"github.com/estela-dev/estela/services/internal/result"
)

// jsonKind is what holds the values of a column exactly.
type jsonKind uint8

const (
	jsonNull jsonKind = iota // there is none yet
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

// with is what holds values of both kinds.
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

// kindOf is the kind of a JSON value. Wide: it is an integer that a double may not hold.
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
	const surely, most, doubles = 15, 38, 1 << 53
	if len(value) <= surely && bytes.IndexByte(value, '.') < 0 && !bytes.ContainsAny(value, "eE") && string(value) != "-0" {
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
		return jsonBigInt, n > doubles || n < -doubles
	case len(bytes.TrimPrefix(value, []byte("-"))) <= most:
		return jsonHugeInt, true
	default:
		return jsonAny, false
	}
}

// isDouble reports whether a JSON number is written out in full by the double that is
// nearest to it.
func isDouble(number string) bool {
	x, err := strconv.ParseFloat(number, 64)
	return err == nil && significant(number) == significant(strconv.FormatFloat(x, 'e', -1, 64))
}

// significant is a number without its sign, in one form: 0.d…e±n without zeros at
// either end.
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

// parseHuge reads an integer of at most 38 digits.
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
