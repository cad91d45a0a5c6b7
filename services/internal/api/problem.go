package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/chart"
	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/memory"
	"github.com/estela-dev/estela/services/internal/queue"
	"github.com/estela-dev/estela/services/internal/spool"
)

// problem is an error as the client sees it, an RFC 9457 document.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Instance is the path that was asked for.
	Instance string `json:"instance,omitempty"`
	// Parameter is the query parameter at fault.
	Parameter string `json:"parameter,omitempty"`
	// RequestID is what the log calls the request.
	RequestID string `json:"request_id,omitempty"`

	cause error // logged, never answered
	known bool  // logged elsewhere, and once
}

func (p *problem) Error() string { return p.Title + ": " + p.Detail }

func (p *problem) Unwrap() error { return p.cause }

func (k kind) new(parameter, detail string) *problem {
	return &problem{Type: k.Path(), Title: k.Title, Status: k.Status, Detail: detail, Parameter: parameter}
}

func (k kind) because(cause error, detail string) *problem {
	p := k.new("", detail)
	p.cause = cause
	return p
}

// knownProblem is the problem of a typed error, nil of any other.
func knownProblem(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if long, ok := errors.AsType[*endpoint.CursorTooLongError](err); ok {
		return cursorTooLong.new("", fmt.Sprintf("The page's last row has values of %d bytes in the columns of the order; the cursor of the next page would be longer than the %d that a URL can carry. Ask for a page of another length, or order by a shorter column.", long.Bytes, long.Most))
	}
	if digits, ok := errors.AsType[*encode.DigitsError](err); ok {
		return notAcceptable.new("", digits.Error()+". Ask for another format, such as json or csv; or cast the column in the endpoint's SQL.")
	}
	if errors.Is(err, chart.ErrTooManyRows) {
		return tooManyRows.new("", fmt.Sprintf("A picture shows up to %d rows. Narrow it with the endpoint's parameters.", chart.MaxRows))
	}
	if busy, ok := errors.AsType[*queue.BusyError](err); ok {
		return overloaded.because(busy.Unwrap(), busy.Detail)
	}
	if limit, ok := errors.AsType[*spool.LimitError](err); ok {
		return map[spool.Limit]kind{spool.TooLarge: tooLarge, spool.Busy: overloaded, spool.NoRoom: noRoom}[limit.Limit].because(limit.Unwrap(), limit.Detail)
	}
	return nil
}

// problemOf is the problem of any error.
func problemOf(err error) *problem {
	if p := knownProblem(err); p != nil {
		return p
	}
	var f *fiber.Error
	switch {
	case errors.As(err, &f) && f.Code == http.StatusNotFound:
		return notFound.new("", "Nothing is here; GET /v1 lists what is.")
	case errors.As(err, &f) && f.Code == http.StatusMethodNotAllowed:
		return methodNotAllowed.new("", "Only GET and HEAD are answered.")
	case errors.As(err, &f) && f.Code < http.StatusInternalServerError:
		p := badRequest.new("", f.Message)
		p.Status = f.Code
		return p
	default:
		return internal.because(err, "The request failed; the log has the reason under the request's ID.")
	}
}

// failed is the problem of a query that gave no answer until ctx ended.
func failed(ctx context.Context, err error) *problem {
	p := knownProblem(err)
	switch {
	case p != nil:
		return p
	case errors.Is(context.Cause(ctx), errLeft):
		return clientLeft.because(err, "The client closed the connection.")
	case errors.Is(err, memory.ErrPressure):
		return memoryPressure.because(err, "The query was ended or refused, for the server's memory is at its limit. Ask for less, or try again after a moment.")
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, queue.ErrTimeout):
		return queryTimeout.because(err, "The query ran into its time limit. Ask for less, or try again later.")
	case ctx.Err() != nil, errors.Is(err, queue.ErrStopped):
		return unavailable.because(err, "The server is stopping.")
	default:
		return internal.because(err, "The query failed; the log has the reason under the request's ID.")
	}
}
