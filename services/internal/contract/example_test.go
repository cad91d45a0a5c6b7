package contract_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/contract"
)

// The decoder takes the example of each contract that comes with Estela.
func TestExampleOfBuiltIn(t *testing.T) {
	t.Parallel()
	entries, err := fs.ReadDir(data.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		found++
		c, err := contract.Load(data.FS, e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if event, valid := c.Example(time.Now()); !valid {
			t.Errorf("%s: %s", e.Name(), event)
		}
	}
	if found == 0 {
		t.Error("no dataset")
	}
}

func TestExample(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	for property, want := range map[string]string{
		`{"type": "string"}`:                                                             `"example"`,
		`{"type": "string", "minLength": 9}`:                                             `"examplexx"`,
		`{"type": "string", "maxLength": 2}`:                                             `"ex"`,
		`{"type": "string", "pattern": "^[0-9]{2,}-(a|b)+c?$"}`:                          `"00-a"`,
		`{"type": "string", "pattern": "^\\S+@\\w+\\.\\p{Greek}$"}`:                      "",
		`{"type": "string", "examples": ["\"</script>"]}`:                                `"\"</script>"`,
		`{"type": "string", "format": "date-time"}`:                                      `"2026-01-02T02:04:05Z"`,
		`{"type": "string", "format": "date"}`:                                           `"2026-01-02"`,
		`{"type": "string", "format": "uuid"}`:                                           "",
		`{"type": ["string", "null"], "enum": ["b", null]}`:                              `"b"`,
		`{"type": "string", "const": "c"}`:                                               `"c"`,
		`{"type": "boolean"}`:                                                            "true",
		`{"type": "integer"}`:                                                            "1",
		`{"type": "integer", "minimum": -5, "maximum": -2}`:                              "-5",
		`{"type": "integer", "exclusiveMinimum": 10}`:                                    "11",
		`{"type": "number", "minimum": 2.5}`:                                             "2.5",
		`{"type": "number", "exclusiveMinimum": 2, "exclusiveMaximum": 3}`:               "2.5",
		`{"type": "integer", "multipleOf": 7}`:                                           "0",
		`{"type": "integer", "multipleOf": 7, "minimum": 1}`:                             "7",
		`{"type": "array", "items": {"type": "integer"}}`:                                "[1]",
		`{"type": "array"}`:                                                              "[null]",
		`{"type": "object", "properties": {"a b": {"type": "boolean"}}}`:                 `{"a b": true}`,
		`{"type": "object", "required": ["x"], "properties": {"x": {"type": "number"}}}`: `{"x": 1}`,
	} {
		c, err := contract.Parse("things", "contract.json", fmt.Appendf(nil, `{"type": "object", "required": ["p"], "properties": {"p": %s}}`, property))
		if err != nil {
			t.Fatal(property, err)
		}
		event, valid := c.Example(now)
		if !valid || want != "" && string(event) != `{"p": `+want+`}` {
			t.Errorf("%s: %s, valid %v, want %s", property, event, valid, want)
		}
	}
	c, err := contract.Parse("things", "contract.json", []byte(`{"type": "object", "properties": {"p": {"type": "string", "pattern": "^a\\Bb{3}$", "maxLength": 3}}}`))
	if err != nil {
		if strings.Contains(err.Error(), "pattern") {
			return // refused: no value is possible
		}
		t.Fatal(err)
	}
	if event, valid := c.Example(now); valid {
		t.Errorf("%s is said to be valid", event)
	}
}
