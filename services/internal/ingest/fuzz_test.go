package ingest_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/ingest"
)

// FuzzBody wants every body to become events or an error, without a panic, and what is packed to be decoded as it
// was checked: as many valid and invalid events, of the same bytes but for line breaks between tokens.
func FuzzBody(f *testing.F) {
	k := things(f, 3)
	for _, body := range []string{
		"", "[]", "[", "{}", thing("a", "x"), thing("a", "x") + "\n" + thing("b", "y"), "[" + thing("a", "x") + "," + thing("b", "y") + "]",
		"[{\"id\":\"a\",\n\"p\":\"x\"},\n7,\"],\\\"\"]", "\r\n\n{}\r\n", `[[],{"]":"}"},"\\"]`, "[,]", "[1]2", `{"specversion":"1.0","id":"a","source":"s","type":"t","subject":"x","data":{"n":1}}`,
		`[{"specversion":"1.0","id":"a","source":"s","type":"t","data_base64":"e30="}]`, "{\"p\":\"\xff\"}", "\xef\xbb\xbf{}",
	} {
		for form := range ingest.Forms {
			f.Add([]byte(body), uint8(form), uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, form, step uint8) {
		valid, invalid, payloads, err := ingest.Packed(k, int(form)%ingest.Forms, &stuttering{body, int(step)%7 + 1})
		if err != nil {
			return
		}
		batch, decoder := k.NewBatch(0, 0), k.NewDecoder()
		for _, p := range payloads {
			decoder.DecodeEntry(batch, event.Entry{Kind: p.Kind, Payload: p.Data})
		}
		if batch.Rows != valid || len(batch.Rejects) != invalid {
			t.Errorf("%d and %d events were checked, the streams have %d and %d", valid, invalid, batch.Rows, len(batch.Rejects))
		}
	})
}

// stuttering reads a few bytes at a time.
type stuttering struct {
	rest []byte
	step int
}

func (s *stuttering) Read(p []byte) (int, error) {
	n, err := bytes.NewReader(s.rest[:min(s.step, len(s.rest))]).Read(p)
	s.rest = s.rest[n:]
	return n, err
}

// FuzzArray holds the elements of a valid array against those of encoding/json.
func FuzzArray(f *testing.F) {
	for _, body := range []string{"[]", "[1]", ` [ "a" , {"b":[1,2,"]"]}, [[]], null ] `, `["\"",",\\"]`, `[{"a":"}"}]`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var want []json.RawMessage
		if json.Unmarshal(body, &want) != nil || want == nil {
			return
		}
		got, err := ingest.Elements(&stuttering{body, 3})
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: %d elements, %v; want %d", body, len(got), err, len(want))
		}
		for i := range got {
			if !bytes.Equal(bytes.TrimSpace(got[i]), bytes.TrimSpace(want[i])) {
				t.Errorf("%q: element %d is %q, want %q", body, i, got[i], want[i])
			}
		}
	})
}

// FuzzCloudEvent holds the event of a structured CloudEvent against one that is composed by encoding/json.
func FuzzCloudEvent(f *testing.F) {
	k := things(f, 1)
	for _, doc := range []string{
		`{"specversion":"1.0","id":"a","source":"s","type":"t","subject":"x","level":3,"data":{"text":"b"}}`,
		`{"specversion":"1.0","id":"a","source":"s","type":"t","subject":"x","data":{"id":"b","p":"y"}}`,
		`{"specversion":"1.0","id":"a","source":"s","type":"t"}`, `{"data":{"}":"{"}}`, `{"specversion":"1.0","\u0069d":"a"}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, ok := ingest.Composed(k, doc)
		if !ok {
			return
		}
		var envelope, data map[string]json.RawMessage
		if err := json.Unmarshal(doc, &envelope); err != nil {
			t.Fatalf("%q is taken for JSON: %v", doc, err)
		}
		if string(envelope["specversion"]) != `"1.0"` || envelope["data_base64"] != nil && string(envelope["data_base64"]) != "null" {
			return
		}
		if raw := envelope["data"]; raw != nil && json.Unmarshal(raw, &data) != nil {
			t.Fatalf("%q has no object for its data", doc)
		}
		if data == nil {
			data = map[string]json.RawMessage{}
		}
		for attribute, property := range map[string]string{"id": "id", "subject": "p", "time": "at", "level": "n", "type": "kind"} {
			if value := envelope[attribute]; value != nil && string(value) != "null" && data[property] == nil {
				data[property] = value
			}
		}
		var composed map[string]json.RawMessage
		if err := json.Unmarshal(got, &composed); err != nil || len(composed) != len(data) {
			t.Fatalf("%q became %q, %v; want %s", doc, got, err, data)
		}
		for name, value := range data {
			if !bytes.Equal(bytes.TrimSpace(composed[name]), bytes.TrimSpace(value)) {
				t.Errorf("%q became %q; %s should be %s", doc, got, name, value)
			}
		}
	})
}
