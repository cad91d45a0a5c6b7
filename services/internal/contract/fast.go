package contract

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/decimal"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// fast decodes a document into the columns of b, not yet as a row. It reports
// false, with the columns in between, if anything is out of the ordinary: wrong,
// or right and rare.
func (d *Decoder) fast(b *Batch, p []byte) bool {
	d.begin(p)
	i := jsontext.Space(p, 0)
	if i >= len(p) || p[i] != '{' {
		return false
	}
	i = jsontext.Space(p, i+1)
	after := 0 // 1 + the column of the last property
	for {
		column, end := d.name(p, i, after)
		if end < 0 {
			return false
		}
		if column >= 0 {
			after = column + 1
			i = d.property(b, p, end, column)
		} else {
			i = d.extra(p, i, end)
		}
		if i < 0 {
			return false
		}
		if i = jsontext.Space(p, i); i >= len(p) {
			return false
		}
		if p[i] == ',' {
			if i++; i < len(p) && p[i] != '"' {
				i = jsontext.Space(p, i)
			}
			continue
		}
		return p[i] == '}' && jsontext.Space(p, i+1) == len(p) && !d.lacking()
	}
}

func (d *Decoder) begin(p []byte) {
	clear(d.seen)
	clear(d.filled)
	c := &d.check
	c.reset(p)
	c.quiet, c.spans = true, nil
}

// name finds the column of the property whose name begins at i, -1 if it has
// none, and where its value begins; -1 if the name isn't a plain one.
func (d *Decoder) name(p []byte, i, after int) (column, value int) {
	column = int(d.follows[after])
	quoted := d.fields[column].quoted
	if end := i + len(quoted); end < len(p) && string(p[i:end]) == quoted {
		if p[end] > ' ' {
			return column, end
		}
		return column, jsontext.Space(p, end)
	}
	return d.lookup(p, i, after)
}

// lookup is name for a property that isn't the expected one. It expects it the
// next time.
func (d *Decoder) lookup(p []byte, i, after int) (column, value int) {
	if i >= len(p) || p[i] != '"' {
		return -1, -1
	}
	end, ascii := jsontext.Scan(p, i+1)
	if end >= len(p) || p[end] != '"' || !ascii && !utf8.Valid(p[i+1:end]) {
		return -1, -1
	}
	column, ok := d.index[string(p[i+1:end])]
	if !ok {
		return -1, afterColon(p, end+1)
	}
	d.follows[after] = int32(column)
	if f := &d.fields[column]; len(f.schema.aliases) > 0 {
		f.quoted = string(p[i:end+1]) + ":" // by this name it is likely to come again
	}
	return column, afterColon(p, end+1)
}

// afterColon is where the value begins, -1 if there is no colon before it.
func afterColon(p []byte, i int) int {
	if i = jsontext.Space(p, i); i >= len(p) || p[i] != ':' {
		return -1
	}
	return jsontext.Space(p, i+1)
}

// property reads the value at i into its column. It gives the end of the value,
// or -1.
func (d *Decoder) property(b *Batch, p []byte, i, column int) int {
	word, bit := column>>6, uint64(1)<<(column&63)
	if d.seen[word]&bit != 0 || i >= len(p) {
		return -1
	}
	d.seen[word] |= bit
	f := &d.fields[column]
	if p[i] == 'n' && f.nullable && bytes.HasPrefix(p[i:], []byte("null")) {
		return i + len("null")
	}
	d.filled[word] |= bit
	v := &b.Columns[column]
	switch f.reading {
	case readText, readInstant, readDate, readUUID:
		return d.text(f, v, p, i)
	case readInteger:
		return d.integer(f, v, p, i)
	case readDouble:
		return d.double(f, v, p, i)
	case readBoolean:
		return boolean(v, p, i)
	default:
		return d.any(f, v, p, i)
	}
}

// extra passes over a property that the contract doesn't name, but not over what
// is wrong with it.
func (d *Decoder) extra(p []byte, i, value int) int {
	c := &d.check
	o := objectScan{}
	if d.contract.root.closed || c.repeated(&o, p[i+1:i+1+bytes.IndexByte(p[i+1:], '"')]) || len(c.names) >= manyNames {
		return -1
	}
	c.i = value
	if c.value(nil, 1); c.failed {
		return -1
	}
	if c.unnamed != nil {
		c.unnamed(p[i+1 : i+1+bytes.IndexByte(p[i+1:], '"')])
	}
	return c.i
}

// any reads a value through the checker.
func (d *Decoder) any(f *field, v *column.Vector, p []byte, i int) int {
	c := &d.check
	c.i = i
	if c.value(f.schema, 1); c.failed || !write(v, p[i:c.i]) {
		return -1
	}
	return c.i
}

func (d *Decoder) text(f *field, v *column.Vector, p []byte, i int) int {
	if p[i] != '"' {
		return -1
	}
	end, ascii := jsontext.Scan(p, i+1)
	if end >= len(p) || p[end] != '"' || !ascii {
		return d.rareText(f, v, p, i)
	}
	if n := end - i - 1; f.reading == readText && n <= column.Inline && len(p)-i > column.Inline {
		v.AppendShort(p[i+1:], n)
		if f.free || f.admits(p[i+1:end], true) {
			return end + 1
		}
		return -1
	}
	if !f.store(v, p[i+1:end], true) {
		return -1
	}
	return end + 1
}

// rareText reads a string with escapes or with characters beyond ASCII.
func (d *Decoder) rareText(f *field, v *column.Vector, p []byte, i int) int {
	end, ascii, escaped, ok := jsontext.End(p, i+1)
	if !ok {
		return -1
	}
	text, buffer, fault := jsontext.Plain(d.check.buffer, p[i+1:end], ascii, escaped)
	d.check.buffer = buffer
	if fault != jsontext.Fine || !f.store(v, text, ascii && !escaped) {
		return -1
	}
	return end + 1
}

// store adds a text to the column, in the column's type, if it is valid.
func (f *field) store(v *column.Vector, text []byte, ascii bool) bool {
	switch f.reading {
	case readInstant:
		micros, ok := parseInstant(text)
		v.AppendInt(micros)
		return ok
	case readDate:
		days, ok := parseDate(text)
		v.AppendInt(int64(days))
		return ok
	case readUUID:
		id, ok := parseUUID(text)
		v.Data = append(v.Data, id[:]...)
		return ok
	default:
		v.AppendText(text)
		return f.admits(text, ascii)
	}
}

// admits holds a text against the lengths, the pattern and the words.
func (f *field) admits(text []byte, ascii bool) bool {
	if f.measured {
		n := len(text)
		if !ascii {
			n = utf8.RuneCount(text)
		}
		if n < f.minLength || n > f.maxLength {
			return false
		}
	}
	if f.pattern != nil && !f.pattern.Match(text, ascii) {
		return false
	}
	return f.words == nil || slices.ContainsFunc(f.words, func(w string) bool { return w == string(text) })
}

// maxFastDigits is how many digits surely fit 64 bits.
const maxFastDigits = 18

func (d *Decoder) integer(f *field, v *column.Vector, p []byte, i int) int {
	from, negative := i, p[i] == '-'
	if negative {
		i++
	}
	first := i
	var n int64
	for i < len(p) && p[i]-'0' <= 9 {
		n = n*10 + int64(p[i]-'0')
		i++
	}
	if i == first || i-first > maxFastDigits || i >= len(p) || p[first] == '0' && i > first+1 {
		return d.any(f, v, p, from) // 1.0, 1e3, or a long one
	}
	if b := p[i]; b == '.' || b|0x20 == 'e' {
		return d.any(f, v, p, from)
	}
	if negative {
		n = -n
	}
	if n < f.low || n > f.high || f.step != 0 && n%f.step != 0 {
		return -1
	}
	v.AppendInt(n)
	return i
}

func (d *Decoder) double(f *field, v *column.Vector, p []byte, i int) int {
	x, end, ok := decimal.ShortFloat(p, i)
	if !ok || !(x > f.above && x < f.below) {
		return d.any(f, v, p, i)
	}
	v.AppendDouble(x)
	return end
}

func boolean(v *column.Vector, p []byte, i int) int {
	switch {
	case bytes.HasPrefix(p[i:], []byte("true")):
		v.AppendBool(true)
		return i + len("true")
	case bytes.HasPrefix(p[i:], []byte("false")):
		v.AppendBool(false)
		return i + len("false")
	}
	return -1
}
