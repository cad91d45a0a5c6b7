package contract

import (
	"bytes"
	"encoding/base64"
	"slices"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

const (
	// Base64Mark begins a name or value of event.Fields or an event.UnknownEntry that is encoded.
	Base64Mark = "base64:"
	// traceField is the field with an entry's W3C traceparent: no property, unless the contract
	// names it.
	traceField = "traceparent"
)

// fieldReader turns the fields of an entry, which are text, into a document of the contract's
// types. It belongs to one decoder.
type fieldReader struct {
	contract *Contract
	doc      []byte
	buffer   []byte   // texts of strings with escapes
	names    [][]byte // the first so many
	more     map[string]struct{}
}

// fewNames are those that are compared one by one.
const fewNames = 32

// DecodeReject decodes a reject again, from the place in the stream that it came from. It reports
// whether it became a row.
func (d *Decoder) DecodeReject(b *Batch, r event.Reject) bool {
	if d.contract.Stream.HasFields() {
		return d.decodeFields(b, r.Payload, r.ID)
	}
	return d.Decode(b, r.Payload, r.ID, r.Line)
}

// decodeFields decodes the payload of an event.Fields. A reject gets the payload, not the document
// that is made of it.
func (d *Decoder) decodeFields(b *Batch, payload []byte, id event.ID) bool {
	if len(payload) > MaxEvent {
		return d.slow(b, payload, id, 0)
	}
	if d.fieldReader == nil {
		d.fieldReader = &fieldReader{contract: d.contract, more: map[string]struct{}{}}
	}
	if wrong := d.fieldReader.read(payload); wrong != nil {
		b.reject(payload, id, 0, []event.Violation{*wrong})
		return false
	}
	if d.Decode(b, d.fieldReader.doc, id, 0) {
		return true
	}
	b.Rejects[len(b.Rejects)-1].Payload = bytes.Clone(payload)
	return false
}

// read makes the document, or says why the fields can be none.
func (f *fieldReader) read(payload []byte) *event.Violation {
	clear(f.more)
	f.doc, f.buffer, f.names = append(f.doc[:0], '{'), f.buffer[:0], f.names[:0]
	for i := 1; i < len(payload) && payload[i-1] != '}'; {
		name, value, end := f.field(payload, i)
		if end < 0 {
			return &event.Violation{Keyword: keywordEntry, Message: "must be the fields of an entry, one JSON object of strings"}
		}
		if wrong := f.add(name, value); wrong != "" {
			return &event.Violation{Pointer: "/" + escapePointer(cut(name, maxToken)), Keyword: keywordEntry, Message: wrong}
		}
		i = end
	}
	f.doc = append(f.doc, '}')
	return nil
}

// field reads the field whose name begins at i, and the comma or brace after it. It ends at -1 if
// there is none.
func (f *fieldReader) field(p []byte, i int) (name, value []byte, end int) {
	name, i = f.text(p, i)
	if i < 0 || i >= len(p) || p[i] != ':' {
		return nil, nil, -1
	}
	value, i = f.text(p, i+1)
	if i < 0 || i >= len(p) || p[i] != ',' && p[i] != '}' {
		return nil, nil, -1
	}
	return name, value, i + 1
}

// text reads the string that begins at i.
func (f *fieldReader) text(p []byte, i int) (text []byte, end int) {
	if i >= len(p) || p[i] != '"' {
		return nil, -1
	}
	end, ascii, escaped, ok := jsontext.End(p, i+1)
	if !ok {
		return nil, -1
	}
	text, buffer, fault := jsontext.Plain(f.buffer, p[i+1:end], ascii, escaped)
	if f.buffer = buffer; fault == jsontext.NUL {
		return []byte{0}, end + 1
	}
	if encoded, marked := bytes.CutPrefix(text, []byte(Base64Mark)); marked {
		plain, err := base64.StdEncoding.AppendDecode(nil, encoded)
		if err != nil {
			return nil, -1
		}
		text = plain
	}
	if fault != jsontext.Fine {
		return nil, -1
	}
	return text, end + 1
}

// add appends a field as a property and returns what is wrong with it, if anything. A value that is
// absent is left out, unless the contract needs a null.
func (f *fieldReader) add(name, value []byte) (wrong string) {
	if f.repeats(name) {
		return "is in the entry more than once"
	}
	all := f.contract.Shape()
	shape, named := all.Member(string(name))
	switch {
	case !named && string(name) == traceField:
		return ""
	case !utf8.Valid(name) || !utf8.Valid(value):
		return jsontext.NotUTF8.String()
	case bytes.IndexByte(name, 0) >= 0 || bytes.IndexByte(value, 0) >= 0:
		return jsontext.NUL.String()
	}
	from := len(f.doc)
	if from > 1 {
		f.doc = append(f.doc, ',')
	}
	f.doc = append(jsontext.AppendString(f.doc, name), ':')
	at := len(f.doc)
	f.doc, _ = shape.AppendText(f.doc, value)
	if string(f.doc[at:]) == "null" && !all.NeedsNull(string(name)) {
		f.doc = f.doc[:from]
	}
	return ""
}

// repeats reports whether the name came before.
func (f *fieldReader) repeats(name []byte) bool {
	if slices.ContainsFunc(f.names, func(other []byte) bool { return bytes.Equal(other, name) }) {
		return true
	}
	if len(f.names) < fewNames {
		f.names = append(f.names, name)
		return false
	}
	_, again := f.more[string(name)]
	f.more[string(name)] = struct{}{}
	return again
}
