package encode

import "bytes"

// appendDuckDBJSON appends text of DuckDB's JSON dialect as strict JSON: NaN and Infinity, in any case,
// become null, and a trailing comma is removed.
func appendDuckDBJSON(b, text []byte) []byte {
	for i := 0; i < len(text); {
		n := jsonToken(text[i:])
		token := text[i : i+n]
		i += n
		switch c := token[0]; {
		case c == ',' && endsContainer(text[i:]):
		case c == '-' && n == 1: // of an infinity
		case c == '\n' || c == '\r': // between values: a row is a line
		case letter(c) && string(token) != "true" && string(token) != "false":
			b = append(b, "null"...)
		default:
			b = append(b, token...)
		}
	}
	return b
}

// jsonToken returns the length of the string, number or word at the beginning of the text, else 1.
func jsonToken(text []byte) int {
	n, c := 1, text[0]
	switch {
	case c == '"':
		for n < len(text) && text[n] != '"' {
			if text[n] == '\\' {
				n++
			}
			n++
		}
		return min(n+1, len(text))
	case digit(c), c == '-' && len(text) > 1 && digit(text[1]):
		for n < len(text) && (digit(text[n]) || bytes.IndexByte([]byte("+-.eE"), text[n]) >= 0) {
			n++
		}
	case letter(c):
		for n < len(text) && letter(text[n]) {
			n++
		}
	}
	return n
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// endsContainer reports whether an array or object ends here.
func endsContainer(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && (text[0] == ']' || text[0] == '}')
}
