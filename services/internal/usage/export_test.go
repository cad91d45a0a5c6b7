package usage

// LimitPending replaces MaxPending.
func (m *Meter) LimitPending(bytes int) { m.maxPending = bytes }
