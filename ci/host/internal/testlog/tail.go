package testlog

import "fmt"

// Tail keeps the end of what is written to it.
type Tail struct {
	limit   int
	kept    []byte
	dropped int
}

// NewTail makes a Tail that keeps about limit bytes.
func NewTail(limit int) *Tail { return &Tail{limit: limit} }

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	// Cut rarely, and then by half: a byte is moved once and not each time.
	if over := len(t.kept) - t.limit; len(t.kept) > 2*t.limit {
		t.dropped += over
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// String says what was kept, and how much was not.
func (t *Tail) String() string {
	over := max(0, len(t.kept)-t.limit)
	if over+t.dropped == 0 {
		return string(t.kept)
	}
	return fmt.Sprintf("[%d bytes before this are left out]\n%s", over+t.dropped, t.kept[over:])
}
