package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/memory"
	rfc9457 "github.com/estela-dev/estela/services/internal/problem"
	"github.com/estela-dev/estela/services/internal/queue"
	"github.com/estela-dev/estela/services/internal/spool"
)

// kind is a kind of problem of this package.
type kind struct{ rfc9457.Kind }

// problem is an error as the client sees it.
type problem = rfc9457.Problem

// The kinds of problems.
var (
	invalidParameter = newKind("invalid-parameter", "Invalid parameter", http.StatusBadRequest, "A value is not of its parameter's type, or against what the endpoint says of it; or a required one is missing. The member parameter names it and detail says what was expected.")
	unknownParameter = newKind("unknown-parameter", "Unknown parameter", http.StatusBadRequest, "The endpoint has no parameter of that name; detail lists those it has. Nothing is ignored, so that a misspelt filter is not taken for none.")
	invalidCursor    = newKind("invalid-cursor", "Invalid cursor", http.StatusBadRequest, "A cursor is good for the endpoint and the parameters it was given for. Take it from meta.next or the Link header and leave the other parameters as they were, or begin without one.")
	tooManyRows      = newKind("too-many-rows", "Too many rows", http.StatusBadRequest, "An answer in one piece has more rows than the endpoint gives. It is not cut short, for an aggregate without some of its rows is wrong. Narrow it with the endpoint's parameters; or its author pages it with -- order:.")
	cursorTooLong    = newKind("cursor-too-long", "Cursor too long", http.StatusBadRequest, "The page ends at a row whose values in the columns of the order are too long for a URL, so that no cursor could name the next page. Ask for a page of another length; the endpoint's author orders it by a shorter column, such as the key.")
	tooLarge         = newKind("answer-too-large", "Answer too large", http.StatusBadRequest, "The answer has more bytes than the server gives in one. Ask for fewer rows or a shorter page.")
	badRequest       = newKind("bad-request", "Bad request", http.StatusBadRequest, "The request is not one that HTTP allows; detail says why.")
	unauthorized     = newKind("unauthorized", "API key required", http.StatusUnauthorized, "Send a key or a signed token that is valid and has not expired: Authorization: Bearer …. The member detail says what is wrong with a token.")
	forbidden        = newKind("forbidden", "Not with this API key", http.StatusForbidden, "The key or token is good, but not for this.")
	foreignOrigin    = newKind("foreign-origin", "Page of another origin", http.StatusForbidden, "A page in a browser may ask agents' tools only if its origin is one that the API is open to: estela up --cors ORIGIN. Other clients send no Origin.")
	notFound         = newKind("not-found", "Not found", http.StatusNotFound, "Nothing is at this path; detail names the nearest endpoint. GET /v1 lists all.")
	methodNotAllowed = newKind("method-not-allowed", "Method not allowed", http.StatusMethodNotAllowed, "Only GET and HEAD are answered.")
	misdirected      = newKind("misdirected", "Misdirected request", http.StatusMisdirectedRequest, "The API is open to this machine alone, and the request was for another name than localhost or a loopback address. That is how a page in a browser would come to read it. Use one of these names; or let the API ask for keys, or be open to all: estela up --keys FILE, or --anonymous.")
	notAcceptable    = newKind("not-acceptable", "Not acceptable", http.StatusNotAcceptable, "Accept names no format that the endpoint has; detail lists those it has.")
	rateLimited      = newKind("rate-limited", "Too many requests", http.StatusTooManyRequests, "The client has made more requests in a second than it may. RateLimit-Policy says how many that is; wait as long as Retry-After says.")
	internal         = newKind("internal", "Internal error", http.StatusInternalServerError, "The server failed. Its log has the reason under the request_id that the problem and the header X-Request-ID name.")
	queryTimeout     = newKind("query-timeout", "Query took too long", http.StatusServiceUnavailable, "The query was stopped at the endpoint's time limit. Ask for less, or try again later.")
	overloaded       = newKind("overloaded", "Overloaded", http.StatusServiceUnavailable, "As many queries run and wait as the server takes on. Try again after what Retry-After says, and later with each failure.")
	diskFull         = newKind("no-room", "No room for the answer", http.StatusInsufficientStorage, "The answer is too large to be kept in memory, and the server's disk is nearly full; what is left is for ingestion. Ask for less, or try again later.")
	clientClosed     = newKind("client-left", "Client left", statusClientClosed, "The client closed the connection before the answer was there; its query was stopped. Only logs and metrics show this.")
	memoryPressure   = newKind("memory-pressure", "Out of memory for queries", http.StatusServiceUnavailable, "The server has as much memory as it may, and ended or refused the query so that ingestion goes on. Ask for less, or try again after what Retry-After says.")
	unavailable      = newKind("unavailable", "Unavailable", http.StatusServiceUnavailable, "The server is stopping, or can check no API key at the moment. Try again.")
)

// statusClientClosed is nginx' status of a request whose client disconnected, for logs and
// metrics.
const statusClientClosed = 499

var kinds []rfc9457.Kind

func newKind(slug, title string, status int, help string) kind {
	k := rfc9457.Kind{Slug: slug, Title: title, Status: status, Help: help}
	kinds = append(kinds, k)
	return kind{k}
}

func (k kind) new(parameter, detail string) *problem { return k.New(parameter, detail) }

func (k kind) withCause(cause error, detail string) *problem { return k.WithCause(cause, detail) }

func (k kind) challenging(challenge, detail string) *problem {
	p := k.new("", detail)
	p.Challenge = challenge
	return p
}

// typedProblem returns the problem of a typed error, nil for any other.
func typedProblem(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if long, ok := errors.AsType[*endpoint.CursorTooLongError](err); ok {
		return cursorTooLong.new("", fmt.Sprintf("The page's last row has values of %d bytes in the columns of the order; the cursor of the next page would be longer than the %d that a URL can carry. Ask for a page of another length, or order by a shorter column.", long.Bytes, long.Most))
	}
	if digits, ok := errors.AsType[*encode.PrecisionError](err); ok {
		return notAcceptable.new("", digits.Error()+". Ask for another format, such as json or csv; or cast the column in the endpoint's SQL.")
	}
	if busy, ok := errors.AsType[*queue.BusyError](err); ok {
		return overloaded.withCause(busy.Unwrap(), busy.Detail)
	}
	if limit, ok := errors.AsType[*spool.LimitError](err); ok {
		return map[spool.Limit]kind{spool.TooLarge: tooLarge, spool.Busy: overloaded, spool.DiskFull: diskFull}[limit.Limit].withCause(limit.Unwrap(), limit.Detail)
	}
	return nil
}

// problemOf returns the problem of any error.
func problemOf(err error) *problem {
	if p := typedProblem(err); p != nil {
		return p
	}
	var f *fiber.Error
	switch {
	case errors.As(err, &f) && f.Code == http.StatusNotFound:
		return notFound.new("", "Nothing is here; GET /v1 lists what is.")
	case errors.As(err, &f) && f.Code == http.StatusMethodNotAllowed:
		return methodNotAllowed.new("", "Only GET and HEAD are answered.")
	case errors.As(err, &f) && f.Code == http.StatusBadRequest: // its text quotes a header, which may be the key
		return badRequest.withCause(err, "The request is no valid HTTP/1.1.")
	case errors.As(err, &f) && f.Code == http.StatusRequestHeaderFieldsTooLarge:
		p := badRequest.withCause(err, "The request's line and its headers have more than the 16 KiB that the server reads. Write a shorter URL.")
		p.Status = f.Code
		return p
	case errors.As(err, &f) && f.Code < http.StatusInternalServerError:
		p := badRequest.new("", f.Message)
		p.Status = f.Code
		return p
	default:
		return internal.withCause(err, "The request failed; the log has the reason under the request's ID.")
	}
}

// queryProblem returns the problem of a query that failed in ctx.
func queryProblem(ctx context.Context, err error) *problem {
	p := typedProblem(err)
	switch {
	case p != nil:
		return p
	case errors.Is(context.Cause(ctx), errClientClosed):
		return clientClosed.withCause(err, "The client closed the connection.")
	case errors.Is(err, memory.ErrPressure):
		return memoryPressure.withCause(err, "The query was ended or refused, for the server's memory is at its limit. Ask for less, or try again after a moment.")
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, queue.ErrTimeout):
		return queryTimeout.withCause(err, "The query ran into its time limit. Ask for less, or try again later.")
	case ctx.Err() != nil, errors.Is(err, queue.ErrStopped):
		return unavailable.withCause(err, "The server is stopping.")
	default:
		return internal.withCause(err, "The query failed; the log has the reason under the request's ID.")
	}
}
