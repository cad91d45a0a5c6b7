package testlog

import (
	"fmt"
	"strings"
)

// limit is about how much a Tail keeps, in bytes.
const limit = 256 << 10

// Tail keeps the end of what is written to it. The zero value has room.
type Tail struct {
	kept []byte
	cut  int
}

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	// Cut rarely, and then by half: a byte is moved once and not each time.
	if over := len(t.kept) - limit; over > limit {
		t.cut += over
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// String says what was kept, ending in a new line unless empty, and how much was not.
func (t *Tail) String() string {
	text := string(t.kept)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if t.cut > 0 {
		text = fmt.Sprintf("[%d bytes before this are left out]\n%s", t.cut, text)
	}
	return text
}
