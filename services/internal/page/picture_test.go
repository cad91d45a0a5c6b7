package page_test

import (
	"bytes"
	"flag"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/browsertest"
	"github.com/estela-dev/estela/services/internal/page"
)

var update = flag.Bool("update", false, "take the pictures anew: look at each before you keep it")

// A picture is another one if more than maxDiffering of its pixels differ by more than minDifference of 255 in a
// colour: the edges of letters differ a little between versions of the browser.
const (
	minDifference = 64
	maxDiffering  = 0.01
)

// TestPicture compares the overview with pictures of it, in light and dark colours, on a desktop and a phone. A
// difference that is meant is written with -update.
func TestPicture(t *testing.T) {
	t.Parallel()
	browser := browsertest.Start(t)
	s := listen(t, &flowing{datasets: 2, findings: []page.Finding{
		{Name: "redis maxmemory-policy", Found: "allkeys-lru evicts streams", Fix: "redis-cli config set maxmemory-policy noeviction", Warning: true},
	}})
	s.tick(t, 301)
	for name, options := range map[string][]browsertest.Option{
		"desktop-light": nil,
		"desktop-dark":  {browsertest.Dark},
		"phone-light":   {browsertest.Phone},
		"phone-dark":    {browsertest.Phone, browsertest.Dark},
	} {
		tab := browser.Open(t, options...)
		tab.Go(s.url + "/")
		tab.Await("fonts and images", `document.fonts.status === "loaded" && [...document.images].every(i => i.complete)`)
		if wide := tab.Text(`document.documentElement.scrollWidth > innerWidth`); wide != "false" {
			t.Errorf("%s: the page is wider than the window", name)
		}
		got := tab.Screenshot()
		file := filepath.Join("testdata", "overview-"+name+".png")
		if *update {
			if err := os.WriteFile(file, got, 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if share := differing(t, want, got); share > maxDiffering {
			kept := filepath.Join(t.ArtifactDir(), "overview-"+name+".png")
			_ = os.WriteFile(kept, got, 0o600)
			t.Errorf("%s: %.1f %% of the pixels differ, at most %.0f %%; 'go test -artifacts' keeps the picture. Is fonts-dejavu-core installed?", file, 100*share, 100*maxDiffering)
		}
		// What a broken layout would change is noticed.
		for what, rule := range map[string]string{"figures": ".figures{display:block !important}", "colours": ":root{--back:#888 !important}", "size": "body{font-size:17px !important}"} {
			tab.Text(`document.styleSheets[0].insertRule("` + rule + `", document.styleSheets[0].cssRules.length)`)
			if share := differing(t, want, tab.Screenshot()); share <= maxDiffering {
				t.Errorf("%s: with other %s, only %.2f %% of the pixels differ", name, what, 100*share)
			}
			tab.Text(`document.styleSheets[0].deleteRule(document.styleSheets[0].cssRules.length - 1)`)
		}
	}
}

// differing is the share of pixels that are not the same.
func differing(t *testing.T, want, got []byte) float64 {
	t.Helper()
	a, b := pixels(t, want), pixels(t, got)
	if a.Bounds() != b.Bounds() {
		return 1
	}
	differ := 0
	for i := 0; i < len(a.Pix); i += 4 {
		for channel := i; channel < i+3; channel++ {
			if d := int(a.Pix[channel]) - int(b.Pix[channel]); d > minDifference || d < -minDifference {
				differ++
				break
			}
		}
	}
	return float64(differ) / float64(len(a.Pix)/4)
}

func pixels(t *testing.T, picture []byte) *image.RGBA {
	t.Helper()
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	all := image.NewRGBA(decoded.Bounds())
	draw.Draw(all, all.Rect, decoded, all.Rect.Min, draw.Src)
	return all
}

// A tab that isn't seen disconnects, and connects again when it is.
func TestHiddenTab(t *testing.T) {
	t.Parallel()
	s := listen(t, &flowing{datasets: 1})
	s.tick(t, 1)
	tab := browsertest.Start(t).Open(t)
	tab.Go(s.url + "/")
	s.awaitTabs(t, 1)
	tab.Hide(true)
	tab.Await("hidden", "document.hidden")
	for start := time.Now(); s.Tabs() != 0; s.tick(t, 1) { // it is noticed when a frame is sent
		if time.Since(start) > 20*time.Second {
			t.Fatal("the hidden tab is still connected")
		}
		time.Sleep(20 * time.Millisecond)
	}
	tab.Hide(false)
	s.awaitTabs(t, 1)
	before := tab.Text(`document.querySelector("[data-text='total.flights']").textContent`)
	s.tick(t, 5)
	tab.Await("figures move", `document.querySelector("[data-text='total.flights']").textContent !== "`+before+`"`)
}
