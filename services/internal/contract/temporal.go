package contract

import (
	"encoding/binary"

	"github.com/estela-dev/estela/services/internal/jsontext"
)

const (
	secondsOfDay = 24 * 60 * 60
	lastMinute   = 23*60 + 59

	// The instants that RFC 3339 can write in UTC, in microseconds since 1970: from
	// 0000-01-01T00:00:00Z to before the year 10000.
	firstInstant = -719_528 * secondsOfDay * 1_000_000
	endOfInstant = 2_932_897 * secondsOfDay * 1_000_000
)

// parseDate reads YYYY-MM-DD, years 0000 to 9999 of the Gregorian calendar, as
// days since 1970-01-01.
func parseDate(s []byte) (days int32, ok bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	century, ok1 := twoDigits(s[0], s[1])
	year, ok2 := twoDigits(s[2], s[3])
	month, ok3 := twoDigits(s[5], s[6])
	day, ok4 := twoDigits(s[8], s[9])
	if !ok1 || !ok2 || !ok3 || !ok4 || month-1 > 11 {
		return 0, false
	}
	year += century * 100
	if day-1 >= daysOf(year, month) {
		return 0, false
	}
	return daysSince1970(int32(year), int32(month), int32(day)), true
}

func twoDigits(a, b byte) (uint32, bool) {
	high, low := uint32(a)-'0', uint32(b)-'0'
	return high*10 + low, high <= 9 && low <= 9
}

func daysOf(year, month uint32) uint32 {
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 29
	}
	return uint32("\x00\x1f\x1c\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"[month])
}

// daysSince1970 is Howard Hinnant's days_from_civil ("chrono-Compatible
// Low-Level Date Algorithms"), with the year moved to stay above 0.
func daysSince1970(year, month, day int32) int32 {
	year += 400
	if month <= 2 {
		year--
		month += 12
	}
	era, yearOfEra := year/400, year%400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	return (era-1)*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}

// parseInstant reads a date-time of RFC 3339, whose zone is required, as
// microseconds since 1970-01-01 UTC. What is finer than a microsecond is cut
// off. A leap second (23:59:60 UTC) is the instant that follows it. In UTC, where it
// is stored and answered, its year must have four digits too.
func parseInstant(s []byte) (micros int64, ok bool) {
	micros, ok = parseAnyInstant(s)
	return micros, ok && micros >= firstInstant && micros < endOfInstant
}

// parseAnyInstant is parseInstant for what its offset takes out of these years, too.
func parseAnyInstant(s []byte) (micros int64, ok bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	days, ok := parseDate(s[:10])
	hour, ok1 := twoDigits(s[11], s[12])
	minute, ok2 := twoDigits(s[14], s[15])
	second, ok3 := twoDigits(s[17], s[18])
	if !ok || !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	fraction, rest, ok := parseFraction(s[19:])
	if !ok {
		return 0, false
	}
	offset, ok := parseZone(rest)
	clock := int64(hour*60+minute) - offset
	if !ok || second == 60 && (clock+2*24*60)%(24*60) != lastMinute {
		return 0, false
	}
	return ((int64(days)*secondsOfDay)+clock*60+int64(second))*1e6 + fraction, true
}

// parseFraction reads the digits after a decimal point, if there is one, as
// microseconds.
func parseFraction(s []byte) (micros int64, rest []byte, ok bool) {
	if len(s) == 0 || s[0] != '.' {
		return 0, s, true
	}
	scale := int64(100_000)
	i := 1
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		micros += int64(s[i]-'0') * scale
		scale /= 10
	}
	return micros, s[i:], i > 1
}

// parseZone reads Z or ±hh:mm as minutes east of UTC.
func parseZone(s []byte) (minutes int64, ok bool) {
	if len(s) == 1 {
		return 0, s[0]|0x20 == 'z'
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	hour, ok1 := twoDigits(s[1], s[2])
	minute, ok2 := twoDigits(s[4], s[5])
	if !ok1 || !ok2 || hour > 23 || minute > 59 {
		return 0, false
	}
	minutes = int64(hour*60 + minute)
	if s[0] == '-' {
		minutes = -minutes
	}
	return minutes, true
}

// parseUUID reads 8-4-4-4-12 hex digits of either case into a UUID vector's
// layout.
func parseUUID(s []byte) (id [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, false
	}
	var high, low uint64
	var bad uint8
	for i := range 16 {
		at := 2*i + int(uuidDashes[i])
		a, b := jsontext.HexDigits[s[at]], jsontext.HexDigits[s[at+1]]
		bad |= (a | b) & 0xf0
		high = high<<8 | low>>56
		low = low<<8 | uint64(a)<<4 | uint64(b)
	}
	binary.NativeEndian.PutUint64(id[:8], low)
	binary.NativeEndian.PutUint64(id[8:], high^1<<63)
	return id, bad == 0
}

// uuidDashes counts the dashes before each byte of a UUID.
const uuidDashes = "\x00\x00\x00\x00\x01\x01\x02\x02\x03\x03\x04\x04\x04\x04\x04\x04"
