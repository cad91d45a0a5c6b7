package inference

import (
	"bytes"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// kinds is a set of what the values of a column can all be.
type kinds uint16

const (
	integer kinds = 1 << iota
	number
	boolean
	instant   // RFC 3339, with a zone
	date      // 2026-02-01
	uuid      // of either case
	localTime // as instant, without a zone, or with a space for the T
	dayMonth  // 31/01/2026
	monthDay  // 01/31/2026
	commaNumber
	epoch // seconds or milliseconds since 1970, of this century

	anyText = integer | number | boolean | instant | date | uuid | localTime | dayMonth | monthDay | commaNumber | epoch
)

// maxDigits is how many digits a number may have: with more it names something.
const maxDigits = 15

// textKinds is what of alive the text can be.
func textKinds(alive kinds, text []byte) kinds {
	if len(text) == 0 || len(text) > 64 {
		return 0
	}
	if c := text[0]; c-'0' > 9 && c != '-' {
		return alive & wordKinds(text)
	}
	got := numberKinds(alive, text)
	if alive&date != 0 && contract.IsScalar(column.Date, text) {
		got |= date
	}
	if alive&instant != 0 && contract.IsScalar(column.TimestampTZ, text) {
		got |= instant
	}
	if alive&localTime != 0 && isLocalTime(text) {
		got |= localTime
	}
	if alive&uuid != 0 && contract.IsScalar(column.UUID, text) {
		got |= uuid
	}
	if alive&(dayMonth|monthDay) != 0 {
		got |= slashed(text)
	}
	return alive & got
}

func wordKinds(text []byte) kinds {
	switch {
	case string(text) == "true" || string(text) == "false":
		return boolean
	case contract.IsScalar(column.UUID, text):
		return uuid
	}
	return 0
}

// numberKinds is what number the text is; none if it is an identifier.
func numberKinds(alive kinds, text []byte) (got kinds) {
	if alive&(integer|number|commaNumber) == 0 {
		return 0
	}
	end, ok := jsontext.Number(text, 0)
	if !ok || end < len(text) {
		if alive&commaNumber != 0 && isCommaNumber(text) {
			return commaNumber
		}
		return 0
	}
	digits, fraction := 0, false
	for _, c := range text {
		if c-'0' <= 9 {
			digits++
		} else if c != '-' {
			fraction = true
		}
	}
	switch {
	case digits > maxDigits:
		return 0
	case fraction:
		return number | commaNumber
	default:
		return number | commaNumber | integer
	}
}

// isCommaNumber reports whether the text is a number with a decimal comma: 1.234,5 or 3,7.
func isCommaNumber(text []byte) bool {
	whole, fraction, found := bytes.Cut(bytes.TrimPrefix(text, []byte("-")), []byte(","))
	if !found || len(fraction) == 0 || len(whole) == 0 {
		return false
	}
	for i, group := range bytes.Split(whole, []byte(".")) {
		if len(group) == 0 || i > 0 && len(group) != 3 || len(bytes.TrimLeft(group, "0123456789")) > 0 {
			return false
		}
	}
	return len(bytes.TrimLeft(fraction, "0123456789")) == 0
}

// isLocalTime reports whether the text is a date and a time, with or without seconds and zone,
// that a cast of SQL reads and RFC 3339 does not.
func isLocalTime(text []byte) bool {
	if len(text) < len("2006-01-02T15:04") || text[10] != 'T' && text[10] != ' ' {
		return false
	}
	full := append(make([]byte, 0, len(text)+8), text...)
	full[10] = 'T'
	if len(full) == len("2006-01-02T15:04") {
		full = append(full, ":00"...)
	}
	return contract.IsScalar(column.TimestampTZ, append(full, 'Z'))
}

// slashed is which dates with slashes, dots or dashes the text can be.
func slashed(text []byte) (got kinds) {
	if len(text) != len("02/01/2006") || text[2] != text[5] || !bytes.ContainsRune([]byte("/.-"), rune(text[2])) {
		return 0
	}
	iso := func(month, day []byte) bool {
		var b [10]byte
		copy(b[:], text[6:])
		b[4], b[7] = '-', '-'
		copy(b[5:], month)
		copy(b[8:], day)
		return contract.IsScalar(column.Date, b[:])
	}
	if iso(text[3:5], text[:2]) {
		got |= dayMonth
	}
	if iso(text[:2], text[3:5]) {
		got |= monthDay
	}
	return got
}
