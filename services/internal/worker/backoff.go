package worker

import (
	"log/slog"
	"time"
)

// maxReadBackoff bounds the backoff between attempts to read a stream: a shard resumes within
// it once the cause is fixed.
const maxReadBackoff = time.Second

// backoff is the state of a series of failed attempts to read, acquire or send a heartbeat: an error is
// logged when it changes. shard.retry is for the warehouse: it logs every failure and sets the status.
type backoff struct {
	last string
	wait time.Duration
}

// next logs the error unless it is the last one, and returns how long to wait before the next
// attempt: first, doubled at each repetition.
func (b *backoff) next(log *slog.Logger, message string, err error, first time.Duration) time.Duration {
	if text := message + ": " + err.Error(); text != b.last {
		b.last, b.wait = text, first
		log.Warn(message, slog.Any("error", err)) //nolint:sloglint // a constant at each caller
		return b.wait
	}
	b.wait = min(2*b.wait, max(first, maxReadBackoff))
	return b.wait
}

// reset ends the series after a success.
func (b *backoff) reset(log *slog.Logger) {
	if b.last != "" {
		log.Info("recovered", slog.String("after", b.last))
	}
	*b = backoff{}
}
