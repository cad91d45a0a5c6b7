package encode

import (
	"math"
	"strconv"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/result"
)

// Time returns the date or time of row i; false for one that RFC 3339 has no form for: infinite
// ones and years outside 0 to 9999.
func Time(v *result.Vector, i int) (time.Time, bool) {
	const day = 24 * 60 * 60
	if v.Kind == column.Date {
		n := result.At[int32](*v, i)
		at := time.Unix(int64(n)*day, 0).UTC()
		return at, n != math.MaxInt32 && n != -math.MaxInt32 && inRFC3339(at)
	}
	n := result.At[int64](*v, i)
	at := time.UnixMicro(n)
	switch v.Kind {
	case column.TimestampNS:
		at = time.Unix(0, n)
	case column.TimestampMS:
		at = time.UnixMilli(n)
	case column.TimestampS:
		at = time.Unix(n, 0)
	default:
	}
	at = at.UTC()
	return at, n != math.MaxInt64 && n != -math.MaxInt64 && inRFC3339(at)
}

func inRFC3339(at time.Time) bool { return at.Year() >= 0 && at.Year() <= 9999 }

// AppendTime appends a time as RFC 3339, without the parts that the kind does not have.
func AppendTime(b []byte, kind column.Kind, at time.Time) []byte {
	switch kind {
	case column.Date:
		return at.AppendFormat(b, time.DateOnly)
	case column.TimestampTZ:
		return at.AppendFormat(b, time.RFC3339Nano) // the layout that Go formats fastest
	default:
		b = at.AppendFormat(b, time.RFC3339Nano)
		return b[:len(b)-1] // the zone
	}
}

// appendTimeOfDay appends a time of day as DuckDB does: 12:00:00.5.
func appendTimeOfDay(b []byte, day time.Duration) []byte {
	b = appendTwoDigits(b, int64(day/time.Hour))
	b = appendTwoDigits(append(b, ':'), int64(day%time.Hour/time.Minute))
	b = appendTwoDigits(append(b, ':'), int64(day%time.Minute/time.Second))
	rest := int64(day % time.Second)
	if rest == 0 {
		return b
	}
	b = append(b, '.')
	for unit := int64(time.Second / 10); rest > 0; unit /= 10 {
		b = append(b, byte('0'+rest/unit))
		rest %= unit
	}
	return b
}

func appendTwoDigits(b []byte, n int64) []byte {
	if n < 10 {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, n, 10)
}

// appendZone appends an offset from UTC as DuckDB does: +00, -03:30, +05:53:28.
func appendZone(b []byte, zone time.Duration) []byte {
	sign := byte('+')
	if zone < 0 {
		sign, zone = '-', -zone
	}
	b = appendTwoDigits(append(b, sign), int64(zone/time.Hour))
	if zone%time.Hour == 0 {
		return b
	}
	b = appendTwoDigits(append(b, ':'), int64(zone%time.Hour/time.Minute))
	if zone%time.Minute == 0 {
		return b
	}
	return appendTwoDigits(append(b, ':'), int64(zone%time.Minute/time.Second))
}

// appendInterval appends an interval as DuckDB does: 1 year 2 months 3 days 04:00:05.5.
func appendInterval(b []byte, d result.Interval) []byte {
	from := len(b)
	for _, part := range []struct {
		n    int32
		unit string
	}{{d.Months / 12, "year"}, {d.Months % 12, "month"}, {d.Days, "day"}} {
		if part.n == 0 {
			continue
		}
		if len(b) > from {
			b = append(b, ' ')
		}
		b = append(append(strconv.AppendInt(b, int64(part.n), 10), ' '), part.unit...)
		if part.n != 1 && part.n != -1 {
			b = append(b, 's')
		}
	}
	if d.Micros == 0 && len(b) > from {
		return b
	}
	if len(b) > from {
		b = append(b, ' ')
	}
	micros := uint64(d.Micros)
	if d.Micros < 0 {
		b, micros = append(b, '-'), -micros
	}
	const hour = 3_600_000_000 // an interval may have more than a time.Duration holds
	clock := appendTimeOfDay(nil, time.Duration(micros%hour)*time.Microsecond)
	return append(appendTwoDigits(b, int64(micros/hour)), clock[2:]...)
}
