package chart

import (
	"math"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/plot"
)

// linearScale is a linear scale that does not overflow.
type linearScale struct{}

// Normalize implements plot.Normalizer.
func (linearScale) Normalize(low, high, x float64) float64 {
	return (x/2 - low/2) / (high/2 - low/2)
}

// extent returns the lowest and the highest value, without NaNs; of none, +Inf and -Inf.
func extent(values []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	return low, high
}

// axisRange returns the range of an axis, a little wider than the values; with fromZero it includes
// zero, for bars and areas mislead otherwise.
func axisRange(values []float64, fromZero bool) (low, high float64) {
	low, high = extent(values)
	switch {
	case low > high: // none
		return 0, 1
	case fromZero:
		low, high = min(low, 0), max(high, 0)
	}
	size := max(math.Abs(low), math.Abs(high))
	room := high/20 - low/20
	if room < size*1e-13 { // nearer points are drawn as one
		room = size / 20
	}
	if room < math.SmallestNonzeroFloat64*100 {
		room = 1
	}
	if fromZero {
		return low - room*nonZero(low), high + room*nonZero(high)
	}
	return max(low-room, -math.MaxFloat64), min(high+room, math.MaxFloat64)
}

// nonZero is 1, or 0 for 0.
func nonZero(v float64) float64 {
	if v == 0 {
		return 0
	}
	return 1
}

// numberTicks marks round numbers.
type numberTicks struct{}

// Ticks implements plot.Ticker.
func (numberTicks) Ticks(low, high float64) (ticks []plot.Tick) {
	const about = 6
	between := roundStep((high/2 - low/2) / about * 2)
	first := math.Ceil(low / between)
	for n := range 4 * about {
		v := (first + float64(n)) * between
		if !(v <= high) {
			break
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: shortNumber(v, between)})
	}
	return ticks
}

// roundStep rounds v up to 1, 2 or 5 times a power of ten.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 5} {
		if v <= n*power {
			return n * power
		}
	}
	return 10 * power
}

// shortNumber formats a number on an axis, with enough digits to distinguish it from the next.
func shortNumber(v, between float64) string {
	abs := math.Abs(v)
	fraction := func(unit float64) int { return max(0, -int(math.Floor(math.Log10(between/unit)+1e-9))) }
	if abs >= 1e15 || abs > 0 && abs < 1e-5 {
		return trimZeros(strconv.FormatFloat(v, 'e', min(fraction(math.Pow(10, math.Floor(math.Log10(abs)))), 16), 64))
	}
	for _, u := range []struct {
		from, size float64
		name       string
	}{{1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}} {
		if digits := fraction(u.size); abs >= u.from && digits < 3 {
			return trimZeros(strconv.FormatFloat(v/u.size, 'f', digits, 64)) + u.name
		}
	}
	return trimZeros(strconv.FormatFloat(v+0, 'f', min(fraction(1), 20), 64))
}

// trimZeros removes zeros at the end of a fraction.
func trimZeros(number string) string {
	digits, exponent, _ := strings.Cut(number, "e")
	if strings.Contains(digits, ".") {
		digits = strings.TrimRight(strings.TrimRight(digits, "0"), ".")
	}
	if exponent == "" {
		return digits
	}
	return digits + "e" + exponent
}

// timeTicks marks round times of x in seconds since 1970.
type timeTicks struct{}

const (
	secondsOfDay = 24 * 60 * 60
	maxTicks     = 8
)

// Ticks implements plot.Ticker.
func (timeTicks) Ticks(low, high float64) []plot.Tick {
	seconds := []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600, secondsOfDay, 2 * secondsOfDay, 7 * secondsOfDay, 14 * secondsOfDay}
	if high-low < 4 {
		return subsecondTicks(low, high)
	}
	for _, by := range seconds {
		if (high-low)/by <= maxTicks {
			return clockTicks(low, high, by)
		}
	}
	const month = 30.44 * secondsOfDay
	for _, by := range []int{1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12000, 24000} {
		if (high-low)/(month*float64(by)) <= maxTicks {
			return monthTicks(low, high, by)
		}
	}
	return nil
}

func timeAt(seconds float64) time.Time {
	whole, rest := math.Modf(seconds)
	return time.Unix(int64(whole), int64(rest*1e9)).UTC()
}

// clockTicks returns a tick every by seconds; the first of a day has its date.
func clockTicks(low, high, by float64) (ticks []plot.Tick) {
	const monday = 4 * secondsOfDay // 1970 began on a Thursday
	day := ""
	for v := math.Ceil((low-monday)/by)*by + monday; v <= high; v += by {
		label := timeAt(v).Format(time.DateOnly)
		if by < secondsOfDay {
			today := label
			label = timeAt(v).Format(map[bool]string{true: "15:04:05", false: "15:04"}[by < 60])
			if today != day {
				label += "\n" + today
			}
			day = today
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: label})
	}
	return ticks
}

func monthTicks(low, high float64, by int) (ticks []plot.Tick) {
	layout := "2006-01"
	if by >= 12 {
		layout = "2006"
	}
	months := (timeAt(low).Year()*12 + int(timeAt(low).Month()) - 1) / by * by
	for {
		t := time.Date(months/12, time.Month(months%12+1), 1, 0, 0, 0, 0, time.UTC)
		v := float64(t.Unix())
		if v > high {
			return ticks
		}
		if v >= low {
			ticks = append(ticks, plot.Tick{Value: v, Label: t.Format(layout)})
		}
		months += by
	}
}

// subsecondTicks returns ticks at fractions of a second.
func subsecondTicks(low, high float64) []plot.Tick {
	begin := math.Floor(low)
	ticks := numberTicks{}.Ticks(low-begin, high-begin)
	for i := range ticks {
		ticks[i].Value += begin
		ticks[i].Label = timeAt(ticks[i].Value + 5e-7).Format("15:04:05.000000")
		ticks[i].Label = strings.TrimSuffix(strings.TrimRight(ticks[i].Label, "0"), ".")
		if i == 0 {
			ticks[i].Label += "\n" + timeAt(ticks[i].Value).Format(time.DateOnly)
		}
	}
	return ticks
}
