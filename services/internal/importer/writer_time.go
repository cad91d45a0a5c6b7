package importer

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/result"
)

var errYears = errors.New("is a time outside of the years 0000 to 9999")

func writeTime(b []byte, v result.Vector, i int) ([]byte, error) {
	const day = 24 * 60 * 60
	var at time.Time
	layout := "2006-01-02T15:04:05.999999999"
	switch v.Kind {
	case column.Date:
		at, layout = time.Unix(int64(result.At[int32](v, i))*day, 0), time.DateOnly
	case column.TimestampS:
		at = time.Unix(result.At[int64](v, i), 0)
	case column.TimestampMS:
		at = time.UnixMilli(result.At[int64](v, i))
	case column.TimestampNS:
		n := result.At[int64](v, i)
		if n == math.MaxInt64 || n == -math.MaxInt64 { // infinity
			return b, errYears
		}
		at = time.Unix(0, n)
	case column.TimestampTZ:
		at, layout = time.UnixMicro(result.At[int64](v, i)), time.RFC3339Nano
	default:
		at = time.UnixMicro(result.At[int64](v, i))
	}
	at = at.UTC()
	if year := at.Year(); year < 0 || year > 9999 {
		return b, errYears
	}
	return append(at.AppendFormat(append(b, '"'), layout), '"'), nil
}

// writeOther writes booleans, UUIDs, times of day and intervals.
func writeOther(b []byte, v result.Vector, i int) ([]byte, error) {
	switch v.Kind {
	case column.Boolean:
		return strconv.AppendBool(b, result.At[bool](v, i)), nil
	case column.UHugeInt:
		return result.At[result.Int128](v, i).AppendUnsigned(b), nil
	case column.UUID:
		b = result.At[result.Int128](v, i).AppendUUID(append(b, '"'))
	case column.Time:
		b = appendClock(append(b, '"'), time.Duration(result.At[int64](v, i))*time.Microsecond)
	case column.TimeNS:
		b = appendClock(append(b, '"'), time.Duration(result.At[int64](v, i)))
	case column.TimeTZ:
		day, zone := result.SplitTimeTZ(result.At[uint64](v, i))
		b = appendZone(appendClock(append(b, '"'), day), zone)
	default:
		b = appendInterval(append(b, '"'), result.At[result.Interval](v, i))
	}
	return append(b, '"'), nil
}

// appendClock writes a time of day, up to 24:00:00.
func appendClock(b []byte, day time.Duration) []byte {
	b = fmt.Appendf(b, "%02d:%02d:%02d", day/time.Hour, day/time.Minute%60, day/time.Second%60)
	return appendFraction(b, day%time.Second)
}

// appendFraction writes a fraction of a second, nothing for 0.
func appendFraction(b []byte, rest time.Duration) []byte {
	if rest == 0 {
		return b
	}
	b = fmt.Appendf(b, ".%09d", rest)
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}

func appendZone(b []byte, zone time.Duration) []byte {
	sign := byte('+')
	if zone < 0 {
		sign, zone = '-', -zone
	}
	b = fmt.Appendf(append(b, sign), "%02d:%02d", zone/time.Hour, zone/time.Minute%60)
	if seconds := zone / time.Second % 60; seconds != 0 {
		b = fmt.Appendf(b, ":%02d", seconds)
	}
	return b
}

// appendInterval writes an ISO 8601 duration, whose parts may be negative.
func appendInterval(b []byte, d result.Interval) []byte {
	b = fmt.Appendf(b, "P%dM%dDT", d.Months, d.Days)
	if d.Micros < 0 {
		b = append(b, '-')
	}
	abs := max(d.Micros, -d.Micros)
	b = fmt.Appendf(b, "%d", abs/1e6)
	return append(appendFraction(b, time.Duration(abs%1e6*1e3)), 'S')
}
