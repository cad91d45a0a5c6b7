package jsontext

// Space is where the white space that begins at i ends.
func Space(p []byte, i int) int {
	for i < len(p) && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t') {
		i++
	}
	return i
}

// Number finds the end of the JSON number that begins at i. It reports false
// if there is none; end is then where it goes wrong.
func Number(p []byte, i int) (end int, ok bool) {
	if i < len(p) && p[i] == '-' {
		i++
	}
	from := i
	if i = digits(p, i); i == from || p[from] == '0' && i > from+1 {
		return i, false
	}
	if i < len(p) && p[i] == '.' {
		from = i + 1
		if i = digits(p, from); i == from {
			return i, false
		}
	}
	if i < len(p) && p[i]|0x20 == 'e' {
		if i++; i < len(p) && (p[i] == '+' || p[i] == '-') {
			i++
		}
		from = i
		if i = digits(p, i); i == from {
			return i, false
		}
	}
	return i, true
}

func digits(p []byte, i int) int {
	for i < len(p) && p[i]-'0' <= 9 {
		i++
	}
	return i
}
