package growth_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/estela-dev/estela/infra/observability"
	"github.com/estela-dev/estela/infra/observability/growth"
)

// A line is found again, and what lies off it is what is left over.
func TestFitFindsTheLine(t *testing.T) {
	t.Parallel()
	x := []float64{5, 15, 50}
	l, err := growth.Fit(x, []float64{3 + 2*5, 3 + 2*15, 3 + 2*50})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(l.A-3) > 1e-9 || math.Abs(l.B-2) > 1e-9 || math.Abs(l.At(500)-1003) > 1e-9 {
		t.Errorf("%+v, want 3 + 2x", l)
	}
	if n, ok := l.Reaches(203); !ok || math.Abs(n-100) > 1e-9 {
		t.Errorf("203 is reached at %v, %v, want 100", n, ok)
	}
	y := []float64{0, 1, 5} // 1/2 - 1/2 + 5/2·x and residuals that can be worked out by hand
	l, err = growth.Fit([]float64{0, 1, 2}, y)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0.5, -1, 0.5} {
		if math.Abs(l.Residuals[i]-want) > 1e-9 {
			t.Errorf("residuals %v, want 0.5, -1, 0.5", l.Residuals)
		}
	}
	if off := l.Off(y); math.Abs(off-1) > 1e-9 {
		t.Errorf("off by %v, want all of the second value", off)
	}
}

func TestFitRefuses(t *testing.T) {
	t.Parallel()
	for says, points := range map[string][2][]float64{
		"three points":     {{1, 2}, {1, 2}},
		"fit 3 points":     {{1, 2, 3}, {1, 2}},
		"different places": {{7, 7, 7}, {1, 2, 3}},
	} {
		if l, err := growth.Fit(points[0], points[1]); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %+v, %v, want %q", points, l, err, says)
		}
	}
	flat, err := growth.Fit([]float64{1, 2, 3}, []float64{4, 4, 4})
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := flat.Reaches(5); ok {
		t.Errorf("a flat line reaches what lies above it at %v", n)
	}
}

func load(t *testing.T) (f observability.File, r growth.Result, readme []byte) {
	t.Helper()
	f, err := observability.Load()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", growth.Source))
	if err != nil {
		t.Fatal(err)
	}
	if r, err = growth.Parse(text); err != nil {
		t.Fatal(err)
	}
	if readme, err = os.ReadFile("../README.md"); err != nil {
		t.Fatal(err)
	}
	return f, r, readme
}

// The tables are those of the result that is kept.
func TestTablesAreUpToDate(t *testing.T) {
	t.Parallel()
	f, r, readme := load(t)
	files := map[string][]byte{"README.md": readme}
	if err := growth.Document(f, r, files); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(files["README.md"], readme) {
		t.Error("README.md is not what the result makes: run go run ./observability/gen in infra/")
	}
	r.Points[0].Active++
	if err := growth.Document(f, r, files); err != nil || bytes.Equal(files["README.md"], readme) {
		t.Errorf("another result makes the same tables (%v)", err)
	}
}

// Two sizes are too few, and the error says of what.
func TestDocumentRefusesTooFew(t *testing.T) {
	t.Parallel()
	f, r, readme := load(t)
	r.Points = r.Points[:2]
	if err := growth.Document(f, r, map[string][]byte{"README.md": readme}); err == nil || !strings.Contains(err.Error(), "series in memory by systems") {
		t.Errorf("%v, want too few points", err)
	}
}
