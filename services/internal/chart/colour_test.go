package chart_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/estela-dev/estela/services/internal/chart"
)

type triple [3]float64

func (m matrix) times(v triple) (product triple) {
	for i := range 3 {
		for k := range 3 {
			product[i] += m[i][k] * v[k]
		}
	}
	return product
}

type matrix [3]triple

// visions simulate colour blindness in linear RGB, at its strongest: Machado, Oliveira and Fernandes,
// A Physiologically-based Model for Simulation of Color Vision Deficiency, 2009.
var visions = map[string]matrix{
	"normal":       {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

// linear returns a colour, #rrggbb, in linear RGB.
func linear(t *testing.T, colour string) (rgb triple) {
	t.Helper()
	for i := range rgb {
		n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		if rgb[i] = float64(n) / 255; rgb[i] <= 0.04045 {
			rgb[i] /= 12.92
		} else {
			rgb[i] = math.Pow((rgb[i]+0.055)/1.055, 2.4)
		}
	}
	return rgb
}

// oklab returns a colour in OKLab, where distances are as large as they look.
func oklab(rgb triple) triple {
	for i := range rgb {
		rgb[i] = min(max(rgb[i], 0), 1)
	}
	lms := matrix{{0.4122214708, 0.5363325363, 0.0514459929}, {0.2119034982, 0.6806995451, 0.1073969566}, {0.0883024619, 0.2817188376, 0.6299787005}}.times(rgb)
	for i := range lms {
		lms[i] = math.Cbrt(lms[i])
	}
	return matrix{{0.2104542553, 0.7936177850, -0.0040720468}, {1.9779984951, -2.4285922050, 0.4505937099}, {0.0259040371, 0.7827717662, -0.8086757660}}.times(lms)
}

func apart(a, b triple) float64 {
	return math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}

// contrast is that of WCAG 2.2.
func contrast(a, b triple) float64 {
	luminance := func(c triple) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] + 0.05 }
	return max(luminance(a), luminance(b)) / min(luminance(a), luminance(b))
}

// Series are told apart with any kind of colour blindness, and stand out from their background;
// shades become steadily darker or lighter.
func TestColours(t *testing.T) {
	t.Parallel()
	for _, theme := range chart.Themes() {
		background := linear(t, theme.Background)
		for _, text := range []string{theme.Ink, theme.Note} {
			if c := contrast(linear(t, text), background); c < 4.5 {
				t.Errorf("text %s on %s has a contrast of %.2f", text, theme.Background, c)
			}
		}
		for i, colour := range theme.Series {
			if c := contrast(linear(t, colour), background); c < 3 {
				t.Errorf("%s on %s has a contrast of %.2f", colour, theme.Background, c)
			}
			for _, other := range theme.Series[:i] {
				for name, m := range visions {
					if d := apart(oklab(m.times(linear(t, colour))), oklab(m.times(linear(t, other)))); d < 0.14 {
						t.Errorf("%s and %s are %.3f apart with %s vision", colour, other, d, name)
					}
				}
			}
		}
		for i := 2; i < len(theme.Shades); i++ {
			light := func(i int) float64 { return oklab(linear(t, theme.Shades[i]))[0] }
			if first, next := light(i-1)-light(i-2), light(i)-light(i-1); math.Abs(next) < 0.02 || first*next < 0 {
				t.Errorf("shade %s is hardly another than %s", theme.Shades[i], theme.Shades[i-1])
			}
		}
	}
}
