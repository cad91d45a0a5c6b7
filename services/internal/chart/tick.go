package chart

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// tick is a mark on an axis. The second line of a label is the day of a time.
type tick struct {
	value float64
	label string
}

// ticks returns about n round values of an axis of numbers or times.
func (a *Axis) ticks(n int) []tick {
	switch a.Scale {
	case timeScale:
		return timeTicks(a.Low, a.High, float64(n), 0)
	case dateScale:
		return timeTicks(a.Low, a.High, float64(n), secondsOfDay)
	default:
		return numberTicks(a.Low, a.High, n)
	}
}

// numberTicks returns about n round numbers.
func numberTicks(low, high float64, n int) (ticks []tick) {
	between := roundStep((high/2 - low/2) / float64(n) * 2)
	first := math.Ceil(low / between)
	for i := range 4 * n {
		v := (first + float64(i)) * between
		if !(v <= high) {
			break
		}
		ticks = append(ticks, tick{v, shortNumber(v, between)})
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

// timeTicks returns at most so many round times, in seconds since 1970, at least so many apart.
func timeTicks(low, high, most, apart float64) []tick {
	seconds := []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600, secondsOfDay, 2 * secondsOfDay, 7 * secondsOfDay, 14 * secondsOfDay}
	if high-low < 4 && apart == 0 {
		return subsecondTicks(low, high, int(most))
	}
	for _, by := range seconds {
		if (high-low)/by <= most && by >= apart {
			return clockTicks(low, high, by)
		}
	}
	const month = 30.44 * secondsOfDay
	for _, by := range []int{1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12000, 24000} {
		if (high-low)/(month*float64(by)) <= most {
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
func clockTicks(low, high, by float64) (ticks []tick) {
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
		ticks = append(ticks, tick{v, label})
	}
	return ticks
}

func monthTicks(low, high float64, by int) (ticks []tick) {
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
			ticks = append(ticks, tick{v, t.Format(layout)})
		}
		months += by
	}
}

// subsecondTicks returns ticks at fractions of a second.
func subsecondTicks(low, high float64, n int) []tick {
	begin := math.Floor(low)
	ticks := numberTicks(low-begin, high-begin, max(n/2, 1))
	for i := range ticks {
		ticks[i].value += begin
		ticks[i].label = timeAt(ticks[i].value + 5e-7).Format("15:04:05.000000")
		ticks[i].label = strings.TrimSuffix(strings.TrimRight(ticks[i].label, "0"), ".")
		if i == 0 {
			ticks[i].label += "\n" + timeAt(ticks[i].value).Format(time.DateOnly)
		}
	}
	return ticks
}
