package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/api"
)

// Patterns are written for OpenAPI as ECMA-262 has them (and as Node read them, with the
// flag u, against the same texts).
func TestPatternsInECMA262(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`^[A-Z]{3}$`:           `^[A-Z]{3}$`,
		`(?i)^ab1$`:            `^[Aa][Bb]1$`,
		`(?i)k`:                `[Kk` + "\u212a" + `]`,
		`\Aab\z`:               `^ab$`,
		`^a.b$`:                `^a[^\n]b$`,
		`(?s)^a.b$`:            `^a[\s\S]b$`,
		`(?m)^b$`:              `(?<![^\n])b(?![^\n])`,
		`(?P<name>[a-z]+)-\d+`: `([a-z]+)-[0-9]+`,
		`^[[:alpha:]]+?$`:      `^[A-Za-z]+$`,
		`\Q.*[x]\E`:            `\.\*\[x\]`,
		`x{,3}`:                `x\{,3\}`,
		`(?:ab){2,}c{1,3}`:     `(?:ab){2,}c{1,3}`,
		`^[\pL\d_-]+$`:         `^[\p{L}\-0-9_]+$`,
		`\PL`:                  `[^\p{L}]`,
		`\p{Greek}`:            `[\p{Script=Greek}]`,
		`^[^\S ]$`:             `^[\u0009\u000A\u000C\u000D]$`,
		`[\]\[^-]`:             `[\-\[\]\^]`,
		`\x{10FFFF}`:           `\u{10FFFF}`,
		`^(?:a|bb|c)d$`:        `^(?:a|bb|c)d$`,
		`\bx\B`:                `\bx\B`,
	} {
		if got, ok := api.ECMAPattern(pattern); got != want || !ok {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
	// Every second letter: a class that has no name and no end.
	var long strings.Builder
	for r := rune(0x3400); r < 0x4400; r += 2 {
		long.WriteRune(r)
	}
	if got, ok := api.ECMAPattern("[" + long.String() + "]"); ok {
		t.Errorf("%d bytes", len(got))
	}
	i := setup(t, "SELECT 1", map[string]string{
		"short": `-- Short.` + "\n" + `-- param: s string pattern=(?i)^\pL\z` + "\nSELECT $s AS s",
		"long":  "-- Long.\n-- param: s string pattern=[" + long.String() + "]\nSELECT $s AS s",
	})
	if text := i.get(t, "/openapi.json").text; !strings.Contains(text, `"pattern":"^[\\p{L}`) || !strings.Contains(text, "It must match the RE2 pattern [") {
		t.Errorf("%.3000s", text)
	}
}

// What the contract says of a property reaches the documentation of the columns that are it.
func TestPropertiesAreDescribed(t *testing.T) {
	t.Parallel()
	i := setup(t, "CREATE TABLE test AS SELECT 1.5::DOUBLE AS celsius, 'a' AS id, now() AS measured_at", nil)
	e := func(name, sql string) api.Endpoint {
		e, err := api.Parse(name+".sql", "-- Name.\n"+sql)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	err := i.api.Load(t.Context(), []api.Dataset{{
		Name:      "test",
		Endpoints: []api.Endpoint{e("all", "SELECT * FROM test"), e("counted", "SELECT count(*) AS celsius, min(id) AS first FROM test")},
		Properties: []api.Property{
			{Name: "celsius", Type: "DOUBLE", Description: "How warm it is."},
			{Name: "measured_at", Type: "TIMESTAMPTZ", Description: "When."},
			{Name: "id", Type: "VARCHAR"},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]struct {
			Get struct {
				Responses map[string]struct {
					Content map[string]struct {
						Schema struct {
							Properties struct {
								Data struct {
									Items struct {
										Properties map[string]struct{ Description string }
									}
								}
							}
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(i.get(t, "/openapi.json").text), &doc); err != nil {
		t.Fatal(err)
	}
	column := func(path, name string) string {
		return doc.Paths[path].Get.Responses["200"].Content["application/json"].Schema.Properties.Data.Items.Properties[name].Description
	}
	for _, c := range []struct{ path, name, want string }{
		{"/v1/test/all", "celsius", "How warm it is. (DOUBLE)"},
		{"/v1/test/all", "measured_at", "When. (TIMESTAMPTZ)"},
		{"/v1/test/all", "id", "VARCHAR"},
		{"/v1/test/counted", "celsius", "BIGINT"},
	} {
		if got := column(c.path, c.name); got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.name, c.path, got, c.want)
		}
	}
}
