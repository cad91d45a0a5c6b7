package chart

// Theme has the colours of a background that a test needs.
type Theme struct {
	Background, Ink, Note string
	Series, Shades        []string
}

// Themes are light and dark.
func Themes() []Theme {
	var all []Theme
	for _, t := range []theme{light, dark} {
		all = append(all, Theme{t.background, t.ink, t.note, t.series[:], t.shades[:]})
	}
	return all
}

// StepWidth is the width of a bin.
func StepWidth(step int, clock bool) float64 { return stepWidth(step, clock) }
