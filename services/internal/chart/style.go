package chart

import (
	"fmt"
	"strings"
)

// shadeCount is the number of shades of cells.
const shadeCount = 9

// theme has the colours on a background. Those of series were searched for: in the colour space
// OKLab every two are at least 0.14 apart, as they are and with protanopia, deuteranopia and
// tritanopia. Shades differ in lightness.
type theme struct {
	background, ink, note, axis, grid string
	series                            [maxSeries]string
	shades                            [shadeCount]string
}

var light = theme{
	"#ffffff", "#1f2328", "#59636e", "#6e7781", "#d8dee4",
	[...]string{"#0969da", "#df7632", "#501561", "#bd331e", "#a287aa", "#0c00b8", "#82020c", "#7f5582"},
	[...]string{"#d3e4f7", "#b9d5f3", "#9bc2ee", "#7aade6", "#5797dd", "#347dcc", "#1c63b1", "#0f4a8f", "#08306b"},
}

var dark = theme{
	"#0d1117", "#e6edf3", "#9198a1", "#8d96a0", "#30363d",
	[...]string{"#4493f8", "#ea7b1a", "#facd47", "#c12805", "#95cff2", "#87517a", "#a28897", "#0d5bd2"},
	[...]string{"#1a3150", "#1c3c62", "#1e4b7d", "#215a98", "#2d70b8", "#4a8ad0", "#74a8e2", "#a3c8f0", "#d6e8fb"},
}

// dashes are the dashes of lines by series.
var dashes = [maxSeries]string{"none", "8 4", "2 3", "10 3 2 3", "14 4", "5 2", "2 6", "10 3 2 3 2 3"}

// styleSheet is that of every chart. A narrow screen, where the picture is scaled down, has larger
// text and fewer labels.
var styleSheet = func() string {
	var b strings.Builder
	b.WriteString(`svg{color-scheme:light dark;max-width:100%;height:auto}text{font:12px system-ui,"Liberation Sans",Arial,Helvetica,sans-serif}` +
		`.t{font-size:17px;font-weight:600}.g,.a,.l{fill:none;stroke-width:1}.l{stroke:currentColor;stroke-width:1.8;stroke-linejoin:round}` +
		`.f{fill:currentColor}.w{fill:currentColor;fill-opacity:.2}`)
	for i, d := range dashes {
		fmt.Fprintf(&b, ".s%d .l{stroke-dasharray:%s}", i, d)
	}
	for i := range shadeCount {
		fmt.Fprintf(&b, ".q%d{fill-opacity:%.2f}", i, 0.25+0.75*float64(i)/(shadeCount-1))
	}
	light.rules(&b)
	b.WriteString("@media(max-width:600px){text{font-size:19px}.t{font-size:23px}.r{font-size:14px}.o{display:none}}@media(prefers-color-scheme:dark){")
	dark.rules(&b)
	b.WriteString("}")
	return b.String()
}()

func (t *theme) rules(b *strings.Builder) {
	fmt.Fprintf(b, "svg{background:%s;color:%[2]s}text{fill:%[2]s}.n{fill:%s}.a{stroke:%s}.g{stroke:%s}", t.background, t.ink, t.note, t.axis, t.grid)
	for i, c := range t.series {
		fmt.Fprintf(b, ".s%d{color:%s}", i, c)
	}
	for i, c := range t.shades {
		fmt.Fprintf(b, ".h%d{fill:%s;shape-rendering:crispEdges}", i, c)
	}
}
