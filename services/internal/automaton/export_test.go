package automaton

// Fast reports whether there is an automaton, and not package regexp alone.
func (m *Pattern) Fast() bool { return m.next != nil }
