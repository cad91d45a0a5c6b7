package ingest

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/problem"
	"github.com/estela-dev/estela/services/internal/spool"
)

// The kinds of problems of a POST.
var (
	invalidEvents   = problem.Kind{Slug: "invalid-events", Title: "Invalid events", Status: http.StatusUnprocessableEntity, Help: "Some of the events break the contract, or are no CloudEvents; errors lists what is wrong with the first, by line and JSON pointer. Nothing was published. Correct them and send the request again; or send it with ?on-invalid=reject, and they are kept as rejects while the others are stored."}
	invalidBody     = problem.Kind{Slug: "invalid-body", Title: "Invalid body", Status: http.StatusBadRequest, Help: "The body is not what its Content-Type and Content-Encoding say, ends too early, or has no event. Nothing was published."}
	tooLarge        = problem.Kind{Slug: "request-too-large", Title: "Request too large", Status: http.StatusRequestEntityTooLarge, Help: "The body, the body without its compression, the number of its events or one of them is larger than the server takes; detail says which and how much that is. Nothing was published. Send several requests."}
	unsupportedType = problem.Kind{Slug: "unsupported-media-type", Title: "Unsupported media type", Status: http.StatusUnsupportedMediaType, Help: "Events are taken as application/json (one or an array), application/x-ndjson and CloudEvents, plain or with Content-Encoding gzip or zstd."}
	tooSlow         = problem.Kind{Slug: "body-too-slow", Title: "Body too slow", Status: http.StatusRequestTimeout, Help: "The body did not arrive in the time that the server gives one. Nothing was published."}
	limited         = problem.Kind{Slug: "ingest-rate-limited", Title: "Too many requests", Status: http.StatusTooManyRequests, Help: "The client has sent more requests or bytes in a second than it may, or has as many requests in flight as it may. Nothing was published. Wait as long as Retry-After says."}
	busy            = problem.Kind{Slug: "ingest-overloaded", Title: "Overloaded", Status: http.StatusServiceUnavailable, Help: "As many requests are in flight, or wait until their events are stored, as the server takes on; or there is no room for a large one. Nothing was published. Try again after what Retry-After says, and later with each failure."}
	streamFull      = problem.Kind{Slug: "stream-full", Title: "Stream full", Status: http.StatusServiceUnavailable, Help: "Redis has no memory for more events until the workers have stored some. Some of a large request may be published. Send it again after what Retry-After says: events with a key, and requests with an Idempotency-Key, are not stored twice."}
	streamGone      = problem.Kind{Slug: "stream-unavailable", Title: "Stream unavailable", Status: http.StatusServiceUnavailable, Help: "Redis did not answer, so that it is not known whether the events are published. Send the request again: events with a key, and requests with an Idempotency-Key, are not stored twice."}
	otherRequest    = problem.Kind{Slug: "idempotency-key-reused", Title: "Idempotency-Key of another request", Status: http.StatusUnprocessableEntity, Help: "A request with the same Idempotency-Key had other events. A key names one request: make a new one for each, and use it again only to repeat the same. Nothing was published."}
	kinds           = []problem.Kind{invalidEvents, invalidBody, tooLarge, unsupportedType, tooSlow, limited, busy, streamFull, streamGone, otherRequest}
)

// The kinds that other requests have too; package api documents them.
var (
	invalidParameter = problem.Kind{Slug: "invalid-parameter", Title: "Invalid parameter", Status: http.StatusBadRequest}
	unknownParameter = problem.Kind{Slug: "unknown-parameter", Title: "Unknown parameter", Status: http.StatusBadRequest}
	badRequest       = problem.Kind{Slug: "bad-request", Title: "Bad request", Status: http.StatusBadRequest}
)

const again = "Send the request again after what Retry-After says: events with a key, and requests with an Idempotency-Key, are not stored twice."

// publishProblem is the problem of a request whose events could not be published.
func publishProblem(err error) *problem.Problem {
	switch {
	case errors.Is(err, event.ErrOtherRequest):
		return otherRequest.WithCause(err, "The Idempotency-Key is that of a request with other events. Nothing was published.")
	case errors.Is(err, event.ErrFull):
		return streamFull.WithCause(err, "Redis has no memory for more events; some of a large request may be published. "+again)
	default:
		return streamGone.WithCause(err, "Redis did not confirm the events: all, some or none of them may be published. "+again)
	}
}

// spoolProblem is the problem of a request whose events find no room to wait.
func spoolProblem(err error) error {
	limit, ok := errors.AsType[*spool.LimitError](err)
	switch {
	case !ok:
		return err
	case limit.Limit == spool.TooLarge:
		return tooLarge.WithCause(err, "The events take more room than the server has for one request. Send several requests.")
	default:
		return busy.WithCause(err, "The server has no room for large requests at the moment. Send smaller ones, or try again later.")
	}
}

// asProblem is the error if it is a problem, else one of the body with the detail.
func asProblem(err error, detail string) error {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p
	}
	return invalidBody.WithCause(err, detail)
}

// refusal is the problem of a request with invalid events.
func refusal(invalid, taken int, errors []problem.LineError) *problem.Problem {
	p := invalidEvents.New("", fmt.Sprintf("%d of %d events are invalid. Nothing was published.", invalid, taken))
	p.Invalid, p.Errors = invalid, errors
	return p
}
