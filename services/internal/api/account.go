package api

import (
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
)

// Answer is what was answered to a request: what one bills or throttles by.
type Answer struct {
	// Subject is the credential's, empty without a valid one. Nothing else of a client is told.
	Subject string
	// Endpoint is that of Config.Observe; of a POST of events, with Write, DATASET/events; and "other" of what
	// the credential does not open, for a subject that reads its usage would see what is there.
	Endpoint string
	Write    bool
	Status   int
	// Cached is true if it came from the cache and waited for no query.
	Cached bool
	// Rows are those of the answer, none for HEAD and 304; of a POST the events that were published.
	Rows int
	// Bytes are those of the body as it was sent, none for HEAD and 304. Of a client that leaves before
	// its end they are those of an answer in a file that were sent, and the whole of one in
	// memory, which is sent at once. Of a POST they are those received, without their compression.
	Bytes int64
	// Took is the time until the answer could be sent, not that of its client to receive it.
	Took time.Duration
}

// delivery is the answer to a request of the router. Handlers set the rows, the bytes of a POST, and whether
// it was cached.
type delivery struct {
	Answer

	// streamed is true once the handlers have left the rest to the body's stream.
	streamed bool
}

// deliveryKey is the key of c.Locals for the request's *delivery.
const deliveryKey = "delivery"

// deliveryOf returns that of the request.
func deliveryOf(c *fiber.Ctx) *delivery {
	d, ok := c.Locals(deliveryKey).(*delivery)
	if !ok {
		d = &delivery{}
		c.Locals(deliveryKey, d)
	}
	return d
}

// account tells Config.Account of an answer of the router; of one in a file once that is closed.
func (s *Server) account(c *fiber.Ctx, label string, status int, took time.Duration) {
	if s.cfg.Account == nil {
		return
	}
	d := deliveryOf(c)
	d.Subject, d.Endpoint, d.Status, d.Took = grantOf(c).Subject, label, status, took
	_, d.Write = c.Locals(ingestKey).(string)
	if status == http.StatusForbidden {
		d.Endpoint, d.Write = "other", false
	}
	switch {
	case d.Write:
	case c.Response().IsBodyStream():
		d.streamed = true
		if c.Method() == http.MethodHead {
			d.Rows = 0
		}
		return
	case c.Method() == http.MethodHead, status == http.StatusNotModified, status == statusClientClosed:
		d.Rows = 0
	default:
		d.Bytes = int64(len(c.Response().Body()))
	}
	s.cfg.Account(d.Answer)
}

// accountStream returns what an answer in a file calls when it is closed, with the bytes that were sent.
func (s *Server) accountStream(d *delivery) func(sent int64) {
	return func(sent int64) {
		if d.streamed { // else a problem has taken its place
			d.Bytes = sent
			s.cfg.Account(d.Answer)
		}
	}
}
