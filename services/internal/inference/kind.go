package inference

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// kinds is a set of what the texts of a column can all be.
type kinds uint16

const (
	integer       kinds = 1 << iota
	number              // as JSON writes it
	commaNumber         // 1.234,5
	groupedNumber       // 1,234.5
	boolean             // true, false
	looseBoolean        // in any case
	nested              // an object or an array of JSON
	instant             // RFC 3339, with a zone
	looseInstant        // as an instant or a local time, with a space for the T or a short zone
	localTime           // without a zone
	date                // 2026-02-01
	dayMonth            // 31/01/2026, also with a time
	monthDay            // 01/31/2026, also with a time
	uuid                // of either case

	anyText = 1<<iota - 1
	numbers = integer | number | commaNumber | groupedNumber
	slashes = dayMonth | monthDay
)

// maxDigits is how many digits a number in a text may have: with more it names something.
const maxDigits = 15

// floatDigits is how many digits programs write of a 64-bit float.
const floatDigits = 17

// maxText is the length of texts that are looked at: a longer one is JSON or text.
const maxText = 64

// textKinds returns what of alive the text can be.
func textKinds(alive kinds, text []byte) kinds {
	if len(text) == 0 {
		return 0
	}
	c := text[0]
	switch {
	case c == '{' || c == '[':
		if alive&nested != 0 && json.Valid(text) {
			return nested
		}
		return 0
	case len(text) > maxText:
		return 0
	case c-'0' > 9 && c != '-':
		return alive & wordKinds(text)
	}
	var got kinds
	if alive&numbers != 0 {
		got = numberKinds(text)
	}
	if len(text) >= len("1/1/2026") && c != '-' {
		got |= timeKinds(alive, text)
	}
	return alive & got
}

func wordKinds(text []byte) kinds {
	switch {
	case string(text) == "true" || string(text) == "false":
		return boolean | looseBoolean
	case bytes.EqualFold(text, []byte("true")) || bytes.EqualFold(text, []byte("false")):
		return looseBoolean
	case contract.IsScalar(column.UUID, text):
		return uuid
	}
	return 0
}

// numberKinds returns what number the text is; none if it is an identifier: with a leading zero, or
// with more than maxDigits digits.
func numberKinds(text []byte) kinds {
	end, ok := jsontext.Number(text, 0)
	if !ok || end < len(text) {
		return separatedKinds(text)
	}
	digits, point, exponent, sign := 0, false, false, false // digits from the first that is not 0
	for _, c := range text {
		switch {
		case c == '0' && digits == 0:
		case c-'0' <= 9:
			digits++
		case c == '.':
			point = true
		case c == 'e' || c == 'E':
			exponent = true
		default:
			sign = sign || exponent
		}
	}
	switch {
	case digits > maxDigits && !point, digits > floatDigits, exponent && !point && !sign: // 12E5 is rather a code
		return 0
	case exponent:
		if _, err := strconv.ParseFloat(string(text), 64); err != nil {
			return 0
		}
		return number
	case !point:
		return numbers
	case isGrouped(bytes.TrimPrefix(text, []byte("-")), '.'):
		return number | groupedNumber | commaNumber
	default:
		return number | groupedNumber
	}
}

// separatedKinds returns what number the text is with separators that JSON does not have.
func separatedKinds(text []byte) (got kinds) {
	if len(text) > maxDigits+8 {
		return 0
	}
	text = bytes.TrimPrefix(text, []byte("-"))
	if isSeparated(text, '.', ',') {
		got |= commaNumber
	}
	if isSeparated(text, ',', '.') {
		got |= groupedNumber
	}
	return got
}

// isSeparated reports whether the text is digits in groups of thousands or in one, and a fraction.
func isSeparated(text []byte, thousands, decimal byte) bool {
	whole, fraction, found := bytes.Cut(text, []byte{decimal})
	if found && (len(fraction) == 0 || !isDigits(fraction)) {
		return false
	}
	if len(whole) > 1 && whole[0] == '0' {
		return false
	}
	return isGrouped(whole, thousands) || len(whole) > 0 && isDigits(whole)
}

// isGrouped reports whether the text is digits with a separator between thousands.
func isGrouped(text []byte, separator byte) bool {
	first := bytes.IndexByte(text, separator)
	if first < 1 || first > 3 || text[0] == '0' || !isDigits(text[:first]) {
		return false
	}
	for rest := text[first:]; len(rest) > 0; rest = rest[4:] {
		if len(rest) < 4 || rest[0] != separator || !isDigits(rest[1:4]) {
			return false
		}
	}
	return true
}

func isDigits(text []byte) bool {
	for _, c := range text {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}

// timeKinds returns which date or time the text can be, or whether it is a UUID.
func timeKinds(alive kinds, text []byte) (got kinds) {
	if alive&uuid != 0 && contract.IsScalar(column.UUID, text) {
		return uuid
	}
	if alive&slashes != 0 {
		got = slashedKinds(text)
	}
	if len(text) < len("2026-02-01") || text[4] != '-' {
		return got
	}
	switch {
	case len(text) == len("2026-02-01"):
		if alive&date != 0 && contract.IsScalar(column.Date, text) {
			got |= date
		}
	case alive&instant != 0 && contract.IsScalar(column.TimestampTZ, text):
		got |= instant | looseInstant
	case alive&(localTime|looseInstant) != 0:
		got |= spacedKinds(text)
	}
	return got
}

// spacedKinds returns which time the text is that a cast of SQL reads and RFC 3339 does not: without
// seconds, without a zone, with a zone of hours alone, with a space for the T.
func spacedKinds(text []byte) kinds {
	if len(text) < len("2006-01-02T15:04") || text[10] != 'T' && text[10] != ' ' {
		return 0
	}
	clock, zone := text[11:], []byte("Z")
	if at := bytes.IndexAny(clock, "+-Z"); at >= 0 {
		clock, zone = bytes.TrimRight(clock[:at], " "), clock[at:]
	}
	full := make([]byte, 0, maxText+8)
	full = append(append(append(full, text[:10]...), 'T'), clock...)
	if len(clock) == len("15:04") {
		full = append(full, ":00"...)
	}
	if full = append(full, zone...); len(zone) == len("+00") {
		full = append(full, ":00"...)
	}
	switch {
	case !contract.IsScalar(column.TimestampTZ, full):
		return 0
	case len(clock) == len(text)-11:
		return localTime | looseInstant
	default:
		return looseInstant
	}
}

// slashedKinds returns which dates with slashes, dots or dashes the text can be; a time may follow.
func slashedKinds(text []byte) (got kinds) {
	day, clock, timed := bytes.Cut(text, []byte(" "))
	a, b, year, separator := slashed(day)
	if separator == 0 || timed && !isClock(clock) {
		return 0
	}
	if isDay(year, b, a) {
		got |= dayMonth
	}
	if isDay(year, a, b) {
		got |= monthDay
	}
	return got
}

// slashed cuts a date into two numbers, of one or two digits, and a year, of four; the separator
// between them is '/', '.' or '-', 0 if it is no such date.
func slashed(text []byte) (a, b, year []byte, separator byte) {
	first := bytes.IndexAny(text, "/.-")
	if first < 1 || first > 2 || len(text) < len("1/1/2026") {
		return nil, nil, nil, 0
	}
	separator = text[first]
	a, b, year = text[:first], text[first+1:len(text)-5], text[len(text)-4:]
	if len(b) < 1 || len(b) > 2 || text[len(text)-5] != separator || !isDigits(a) || !isDigits(b) || !isDigits(year) {
		return nil, nil, nil, 0
	}
	return a, b, year, separator
}

// isDay reports whether there is such a day.
func isDay(year, month, day []byte) bool {
	text := []byte("0000-00-00")
	copy(text, year)
	copy(text[7-len(month):], month)
	copy(text[10-len(day):], day)
	return contract.IsScalar(column.Date, text)
}

// isClock reports whether the text is hours and minutes, maybe with seconds.
func isClock(text []byte) bool {
	full := append(make([]byte, 0, maxText+16), "2000-01-01T"...)
	full = append(full, text...)
	if len(text) == len("15:04") {
		full = append(full, ":00"...)
	}
	return len(full) == len("2000-01-01T15:04:05") && contract.IsScalar(column.TimestampTZ, append(full, 'Z'))
}

// missingWords are what programs write for no value in files of text.
var missingWords = []string{"NA", "N/A", "n/a", "NULL", "null", "Null", "None", "NaN", "nan", `\N`, "-"}

// isMissing returns the index in missingWords, -1 for any other text.
func isMissing(text []byte) int {
	if len(text) == 0 || len(text) > 4 {
		return -1
	}
	switch text[0] {
	case 'N', 'n', '\\', '-':
		for i, word := range missingWords {
			if string(text) == word {
				return i
			}
		}
	}
	return -1
}
