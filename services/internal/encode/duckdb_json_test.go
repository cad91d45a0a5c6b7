package encode_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/estela-dev/estela/services/internal/encode"
)

// Strict JSON is unchanged, except line breaks between its tokens.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e+3,true,false,null,"x\\\"]"]}`, `"NaN"`, `[]`, `-0`, "[1 , 2\n]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := encode.AppendJSON(nil, text)
		want := bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\n"), nil), []byte("\r"), nil)
		if json.Valid(text) && !bytes.Equal(got, want) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
