package encode

import (
	"math"
	"time"

	"github.com/estela-dev/estela/services/internal/result"
)

// Time is the date or time of row i; false for one that RFC 3339 can't write: the
// infinite ones and years outside 0 to 9999.
func Time(v *result.Vector, i int) (time.Time, bool) {
	const day = 24 * 60 * 60
	if v.Kind == result.Date {
		n := result.At[int32](*v, i)
		at := time.Unix(int64(n)*day, 0).UTC()
		return at, n != math.MaxInt32 && n != -math.MaxInt32 && writable(at)
	}
	n := result.At[int64](*v, i)
	at := time.UnixMicro(n)
	switch v.Kind {
	case result.TimestampNS:
		at = time.Unix(0, n)
	case result.TimestampMS:
		at = time.UnixMilli(n)
	case result.TimestampS:
		at = time.Unix(n, 0)
	default:
	}
	at = at.UTC()
	return at, n != math.MaxInt64 && n != -math.MaxInt64 && writable(at)
}

func writable(at time.Time) bool { return at.Year() >= 0 && at.Year() <= 9999 }

// AppendTime writes a time of that kind as RFC 3339, without what the kind does not have.
func AppendTime(b []byte, kind result.Kind, at time.Time) []byte {
	switch kind {
	case result.Date:
		return at.AppendFormat(b, time.DateOnly)
	case result.TimestampTZ:
		return at.AppendFormat(b, time.RFC3339Nano) // which Go writes faster than others
	default:
		b = at.AppendFormat(b, time.RFC3339Nano)
		return b[:len(b)-1] // the zone
	}
}
