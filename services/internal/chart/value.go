package chart

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/result"
)

func isNumber(k result.Kind) bool {
	return k >= result.TinyInt && k <= result.Double || k == result.HugeInt || k == result.UHugeInt || k == result.Decimal
}

func isTime(k result.Kind) bool {
	return k == result.Date || k >= result.Timestamp && k <= result.TimestampS
}

// number is a value to be drawn; NaN is none.
func number(t *result.Type, v *result.Vector, i int) float64 {
	if v.Null(i) || !isNumber(v.Kind) {
		return math.NaN()
	}
	n, err := strconv.ParseFloat(string(encode.AppendText(nil, t, v, i)), 64)
	if err != nil || math.IsInf(n, 0) {
		return math.NaN()
	}
	return n
}

// instant is a time in seconds since 1970.
func instant(v *result.Vector, i int) float64 {
	if v.Null(i) {
		return math.NaN()
	}
	at, ok := encode.Time(v, i)
	if !ok {
		return math.NaN()
	}
	return float64(at.Unix()) + float64(at.Nanosecond())/1e9
}

// name is a value that is no number, without what can't stand in a picture.
func name(t *result.Type, v *result.Vector, i int) string {
	if v.Null(i) {
		return "NULL"
	}
	text := strings.ToValidUTF8(string(encode.AppendText(nil, t, v, i)), "\ufffd")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == 0xfffe || r == 0xffff {
			return ' '
		}
		return r
	}, text)
}
