package memory

// Squeeze changes the limit while queries run.
func (w *Watch) Squeeze(limit int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Limit = limit
}
