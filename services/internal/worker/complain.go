package worker

import (
	"log/slog"
	"time"
)

// maxReadBackoff bounds the pause between attempts to read a stream: it is how long a shard
// may stand still once what was wrong is repaired.
const maxReadBackoff = time.Second

// complaint is what keeps a shard from being carried: it is logged when it changes, not at
// every attempt.
type complaint struct {
	text string
	wait time.Duration
}

// about logs what is wrong unless it is what was wrong before, and tells how long to wait
// before the next attempt: longer each time, from first on.
func (c *complaint) about(log *slog.Logger, message string, err error, first time.Duration) time.Duration {
	if text := message + ": " + err.Error(); text != c.text {
		c.text, c.wait = text, first
		log.Warn(message, slog.Any("error", err)) //nolint:sloglint // a constant at each caller
		return c.wait
	}
	c.wait = min(2*c.wait, max(first, maxReadBackoff))
	return c.wait
}

// over says that all is well again.
func (c *complaint) over(log *slog.Logger) {
	if c.text != "" {
		log.Info("going on", slog.String("after", c.text))
	}
	*c = complaint{}
}
