package chart

import "math"

// evenScale is linear, for numbers of any size.
type evenScale struct{}

// Normalize implements plot.Normalizer.
func (evenScale) Normalize(low, high, x float64) float64 {
	return (x/2 - low/2) / (high/2 - low/2)
}

func lowest(values []float64) float64 {
	least := math.Inf(1)
	for _, v := range values {
		if v < least {
			least = v
		}
	}
	return least
}

func highest(values []float64) float64 {
	most := math.Inf(-1)
	for _, v := range values {
		if v > most {
			most = v
		}
	}
	return most
}

// span is the range of an axis, a little wider than the values; fromZero has nothing in it
// too, for what stands on it misleads otherwise.
func span(values []float64, fromZero bool) (low, high float64) {
	low, high = lowest(values), highest(values)
	switch {
	case low > high: // none
		return 0, 1
	case fromZero:
		low, high = min(low, 0), max(high, 0)
	}
	size := max(math.Abs(low), math.Abs(high))
	room := high/20 - low/20
	if room < size*1e-13 { // nearer points are one on the picture
		room = size / 20
	}
	if room < math.SmallestNonzeroFloat64*100 {
		room = 1
	}
	if fromZero {
		return low - room*sign(low), high + room*sign(high)
	}
	return max(low-room, -math.MaxFloat64), min(high+room, math.MaxFloat64)
}

// sign is 1 unless the value is nothing.
func sign(v float64) float64 {
	if v == 0 {
		return 0
	}
	return 1
}
