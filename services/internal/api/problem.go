package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// problem is an error that the client is told of, an RFC 9457 document.
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

	cause error // logged, never told
}

func (p *problem) Error() string { return p.Title + ": " + p.Detail }

func (p *problem) Unwrap() error { return p.cause }

// kind is the stable part of a problem.
type kind struct {
	slug, title string
	status      int
}

// The kinds of problems; doc.go lists them.
var (
	invalidParameter = kind{"invalid-parameter", "Invalid parameter", http.StatusBadRequest}
	unknownParameter = kind{"unknown-parameter", "Unknown parameter", http.StatusBadRequest}
	invalidCursor    = kind{"invalid-cursor", "Invalid cursor", http.StatusBadRequest}
	tooManyRows      = kind{"too-many-rows", "Too many rows", http.StatusBadRequest}
	badRequest       = kind{"bad-request", "Bad request", http.StatusBadRequest}
	notFound         = kind{"not-found", "Not found", http.StatusNotFound}
	methodNotAllowed = kind{"method-not-allowed", "Method not allowed", http.StatusMethodNotAllowed}
	internal         = kind{"internal", "Internal error", http.StatusInternalServerError}
	queryTimeout     = kind{"query-timeout", "Query took too long", http.StatusServiceUnavailable}
	unavailable      = kind{"unavailable", "Unavailable", http.StatusServiceUnavailable}
)

func (k kind) new(parameter, detail string) *problem {
	return &problem{Type: "/problems/" + k.slug, Title: k.title, Status: k.status, Detail: detail, Parameter: parameter}
}

func (k kind) because(cause error, detail string) *problem {
	p := k.new("", detail)
	p.cause = cause
	return p
}

// problemOf makes any error one that can be told.
func problemOf(err error) *problem {
	var p *problem
	var f *fiber.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &f) && f.Code == http.StatusNotFound:
		return notFound.new("", "Nothing is here; GET /v1 lists what is.")
	case errors.As(err, &f) && f.Code == http.StatusMethodNotAllowed:
		return methodNotAllowed.new("", "Only GET and HEAD are answered.")
	case errors.As(err, &f) && f.Code < http.StatusInternalServerError:
		p = badRequest.new("", f.Message)
		p.Status = f.Code
		return p
	default:
		return internal.because(err, "The request failed; the log has the reason under the request's ID.")
	}
}

// failed says why a query gave no answer.
func failed(ctx context.Context, err error) error {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return queryTimeout.because(err, "The query ran into its time limit. Ask for less, or try again later.")
	case ctx.Err() != nil:
		return unavailable.because(err, "The server is stopping.")
	default:
		return internal.because(err, "The query failed; the log has the reason under the request's ID.")
	}
}

// fail answers with a problem document and logs what is the server's fault.
func (s *Server) fail(c *fiber.Ctx, err error) error {
	p := *problemOf(err)
	p.Instance = string(c.Request().URI().PathOriginal())
	p.RequestID = strings.Clone(c.GetRespHeader(fiber.HeaderXRequestID))
	if p.Status >= http.StatusInternalServerError {
		s.cfg.Logger.LogAttrs(c.UserContext(), slog.LevelError, "request failed",
			slog.String("request_id", p.RequestID), slog.String("path", p.Instance),
			slog.Int("status", p.Status), slog.Any("error", err), slog.Any("cause", p.cause))
	}
	if p.Status == http.StatusServiceUnavailable {
		c.Set(fiber.HeaderRetryAfter, "1")
	}
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/problem+json")
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(p.Status).Send(body)
}
