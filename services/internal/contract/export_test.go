package contract

import "regexp"

// DecodeSlow decodes without the fast path.
func (d *Decoder) DecodeSlow(b *Batch, payload []byte, id ID, line uint32) bool {
	return d.slow(b, payload, id, line)
}

// IsFast reports whether the fast path takes the document.
func (d *Decoder) IsFast(b *Batch, payload []byte) bool {
	defer b.undo()
	return d.fast(b, payload)
}

// MatchPattern matches with the automaton, if there is one, and with regexp.
func MatchPattern(source, text string) (ours, theirs, automaton bool, err error) {
	m, err := newPattern(source)
	if err != nil {
		return false, false, false, err
	}
	return m.match([]byte(text), isASCII([]byte(text))), regexp.MustCompile(source).MatchString(text), m.next != nil, nil
}
