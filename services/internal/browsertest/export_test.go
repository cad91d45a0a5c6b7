package browsertest

// Processes are the browser's.
func (b *Browser) Processes() []int { return b.processes() }
