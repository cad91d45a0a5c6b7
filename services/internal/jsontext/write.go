package jsontext

// AppendString writes valid UTF-8 text as a JSON string, with the escapes that JSON demands
// and no more.
func AppendString[T string | []byte](b []byte, text T) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			b = appendEscape(append(b, text[from:i]...), c)
			from = i + 1
		}
	}
	return append(append(b, text[from:]...), '"')
}

func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	default:
		return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
}

// AppendLine appends a valid JSON text on one line.
func AppendLine(buf, text []byte) []byte {
	from := len(buf)
	buf = append(buf, text...)
	for i, c := range buf[from:] { // JSON has line breaks between tokens only
		if c == '\n' || c == '\r' {
			buf[from+i] = ' '
		}
	}
	return buf
}
