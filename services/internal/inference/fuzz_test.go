package inference_test

import (
	"encoding/json"
	"testing"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/inference"
)

// FuzzText: what a text is found to be without a conversion, the contract's decoder takes it for.
func FuzzText(f *testing.F) {
	for _, text := range []string{"1", "-0", "1e5", "1e700", "007", "1.234,5", "1,234.5", "true", "TRUE", "2026-02-01", "2026-02-01 06:00", "31/12/2026 23:59", "2026-02-01T06:00:00Z", "123e4567-e89b-12d3-a456-426614174000", "[1]", "NA", ""} {
		f.Add(text)
	}
	kinds := map[string]column.Kind{"integer": column.BigInt, "number": column.Double, "boolean": column.Boolean, "date": column.Date, "date-time": column.TimestampTZ, "uuid": column.UUID}
	f.Fuzz(func(t *testing.T, text string) {
		value, err := json.Marshal(text)
		if err != nil {
			return
		}
		p, kept := inference.New(true), string(value)
		if err := p.Add([]contract.Member{{Name: []byte("c"), Value: value}}); err != nil {
			t.Fatal(err)
		}
		if string(value) != kept {
			t.Fatalf("%s became %s", kept, value)
		}
		c := p.Columns()[0]
		kind, ok := kinds[c.Type]
		if c.Format != "" {
			kind, ok = kinds[c.Format]
		}
		if !ok || c.Layout != inference.Plain || len(c.Missing) > 0 {
			return
		}
		var plain string
		if err := json.Unmarshal(value, &plain); err != nil {
			t.Fatal(err)
		}
		if _, err := contract.ParseScalar(kind, plain); err != nil {
			t.Errorf("%q is %s %s: %v", text, c.Type, c.Format, err)
		}
	})
}

// FuzzName: every name becomes one that a property can have, and stays it.
func FuzzName(f *testing.F) {
	for _, text := range []string{"Flight Date", "flightDate", "Año", "2020", "_", "%", "İ", "ß", "0фA"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name := inference.PropertyName(text)
		if name == "" {
			return
		}
		if again := inference.PropertyName(name); again != name {
			t.Errorf("%q becomes %q and then %q", text, name, again)
		}
		if _, err := contract.Parse("things", "", []byte(`{"type":"object","properties":{"`+name+`":{"type":"string"}}}`)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
