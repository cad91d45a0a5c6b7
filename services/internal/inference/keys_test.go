package inference_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/inference"
)

// keyOf runs both passes over the rows.
func keyOf(t *testing.T, rows []string) string {
	t.Helper()
	p := profile(t, true, rows...)
	key, search := p.Key()
	if search != nil {
		var split contract.Splitter
		for _, doc := range rows {
			members, _ := split.Split([]byte(doc))
			if err := search.Add(members); err != nil {
				t.Fatal(err)
			}
		}
		key = search.Key()
	}
	var names []string
	for _, at := range key.Columns {
		names = append(names, p.Columns()[at].Name)
	}
	text := strings.Join(names, " ")
	if key.Partial {
		text += " partial"
	}
	if key.Chance {
		text += " chance"
	}
	return text
}

// TestKeys holds which columns identify a row.
func TestKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows int
		row  func(i int) string
		want string
	}{
		"an id after another column that differs": {30_000, func(i int) string {
			return fmt.Sprintf(`{"total":"%d.%d","line":"%d","order id":"%d"}`, i, i%10, i, i)
		}, "order id"},
		"an id that comes again late": {30_000, func(i int) string {
			return fmt.Sprintf(`{"id":"%d","day":"%s"}`, i%29_000, []string{"2026-01-01", "2026-01-02"}[i/29_000])
		}, "id day"},
		"a group of three where two seem to do at first": {40_000, func(i int) string {
			return fmt.Sprintf(`{"day":"2026-01-%02d","shop":"s%d","sku":"%d"}`, 1+i/20_000, i%200, i/200%100)
		}, "day shop sku"},
		"an hour of a day": {30_000, func(i int) string {
			return fmt.Sprintf(`{"constant":"1","day":"%d","hour":"%d","late":"%d"}`, i/24, i%24, min(i, 25_000))
		}, "day hour"},
		"a daily series": {300, func(i int) string {
			return fmt.Sprintf(`{"day":"%d-%02d-%02d","price":"%d.5"}`, 2000+i/300, 1+i/25%12, 1+i%25, i)
		}, "day"},
		"a measure that is unique":   {300, func(i int) string { return fmt.Sprintf(`{"population":"%d","area":"%d.25"}`, i*i*977, i) }, ""},
		"descriptions are no key":    {300, func(i int) string { return fmt.Sprintf(`{"comment":"%s %d"}`, strings.Repeat("very long ", 6), i) }, ""},
		"an id with an absent value": {300, func(i int) string { return fmt.Sprintf(`{"id":"%s","n":"1"}`, strings.TrimSuffix(fmt.Sprint(i), "7")) }, ""},
		"equal rows":                 {300, func(i int) string { return fmt.Sprintf(`{"a":"%d","b":"%d"}`, i%150, i%150) }, ""},
		"few rows":                   {3, func(i int) string { return fmt.Sprintf(`{"name":"n%d"}`, i) }, "name chance"},
	} {
		rows := make([]string, c.rows)
		for i := range rows {
			rows[i] = c.row(i)
		}
		if got := keyOf(t, rows); got != c.want {
			t.Errorf("%s: the key is %q, want %q", name, got, c.want)
		}
	}
}

// TestTime holds which column is the time.
func TestTime(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]int{
		`{"n":"1"}`: -1,
		`{"birth date":"2026-01-01","updated_at":"2026-01-01T00:00:00Z","order_date":"2026-01-01"}`: 2,
		`{"day":"2026-01-01","created_at":"2026-01-01 00:00:00"}`:                                   1,
		`{"valid until":"2026-01-01"}`:                                                              0,
	} {
		if got := inference.Time(profile(t, true, doc).Columns()); got != want {
			t.Errorf("%s: the time is column %d, want %d", doc, got, want)
		}
	}
}
