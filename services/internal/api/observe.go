package api

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	rfc9457 "github.com/estela-dev/estela/services/internal/problem"
)

// labelKey is the key of c.Locals for the endpoint's label.
const labelKey = "endpoint"

var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// The headers that every answer has.
var (
	headerRequestID = []byte("X-Request-Id") // as fasthttp would write it
	headerNoSniff   = []byte(fiber.HeaderXContentTypeOptions)
	noSniff         = []byte("nosniff")
	headerPolicy    = []byte(fiber.HeaderContentSecurityPolicy)
)

// policy is the Content-Security-Policy of answers that browsers show as data.
const policy = "frame-ancestors 'none'"

// setRequestID sets X-Request-ID: to the client's, if that is valid, or a random one.
func setRequestID(h *fasthttp.ResponseHeader, id []byte) {
	if len(id) == 0 || !requestID.Match(id) {
		var b [16]byte
		//nolint:gosec // it identifies requests and protects nothing
		id = hex.AppendEncode(b[:0], binary.BigEndian.AppendUint64(b[8:8], rand.Uint64()))
	}
	h.SetCanonical(headerRequestID, id)
}

// setSecurityHeaders keeps browsers from sniffing the answer's type, and from what the policy forbids.
func setSecurityHeaders(h *fasthttp.ResponseHeader, policy string) {
	h.SetCanonical(headerNoSniff, noSniff)
	h.SetCanonical(headerPolicy, []byte(policy))
}

// observe is the outermost handler: it sets the request's ID, answers errors and panics with a
// problem document, and reports status and duration.
func (s *Server) observe(c *fiber.Ctx) error {
	start := time.Now()
	setRequestID(&c.Response().Header, c.Request().Header.PeekCanonical(headerRequestID))
	setSecurityHeaders(&c.Response().Header, policy)
	err := s.recoverPanic(c)
	if err != nil {
		err = s.writeProblem(c, err)
	}
	label, ok := c.Locals(labelKey).(string)
	if !ok {
		label = "other"
	}
	status := c.Response().StatusCode()
	took := time.Since(start)
	seconds := took.Seconds()
	if isAsked(c.Context()) {
		return err
	}
	asked := c.Locals(askedKey) != nil // the tool's GET is what is observed and accounted
	if !s.observePost(c) && !asked {
		s.cfg.Observe(label, status, seconds)
	}
	if !asked {
		s.account(c, label, status, took)
	}
	if s.cfg.AccessLog == "all" || s.cfg.AccessLog == "errors" && status >= http.StatusBadRequest {
		s.logAccess(c, label, status, seconds)
	}
	return err
}

// traceparent matches the W3C trace context header.
var traceparent = regexp.MustCompile(`^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$`)

// logAccess logs a request, without its parameters and its credential, which may be secrets.
func (s *Server) logAccess(c *fiber.Ctx, label string, status int, seconds float64) {
	attrs := []slog.Attr{
		slog.String("request_id", c.GetRespHeader(fiber.HeaderXRequestID)), slog.String("method", c.Method()),
		slog.String("endpoint", label), slog.Int("status", status), slog.Float64("seconds", seconds),
	}
	if parts := traceparent.FindStringSubmatch(c.Get("Traceparent")); parts != nil {
		attrs = append(attrs, slog.String("trace", parts[1]))
	}
	if g := grantOf(c); g.IsToken() {
		attrs = append(attrs, slog.String("subject", g.Subject))
	} else if g.Subject != "" {
		attrs = append(attrs, slog.String("key", g.Subject))
	}
	s.cfg.Logger.LogAttrs(c.UserContext(), slog.LevelInfo, "request", attrs...)
}

// recoverPanic runs the handlers and turns a panic into an error.
func (s *Server) recoverPanic(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return c.Next()
}

// writeProblem answers with a problem document and logs errors of the server.
func (s *Server) writeProblem(c *fiber.Ctx, err error) error {
	p := *problemOf(err)
	p.Instance = string(c.Request().URI().PathOriginal())
	p.RequestID = strings.Clone(c.GetRespHeader(fiber.HeaderXRequestID))
	if p.Status >= http.StatusInternalServerError && !p.Logged {
		s.cfg.Logger.LogAttrs(c.UserContext(), slog.LevelError, "request failed",
			slog.String("request_id", p.RequestID), slog.String("path", p.Instance),
			slog.Int("status", p.Status), slog.Any("error", err), slog.Any("cause", p.Cause))
	}
	if p.Challenge != "" {
		c.Response().Header.Add(fiber.HeaderWWWAuthenticate, p.Challenge)
	}
	switch p.Status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInsufficientStorage:
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(max(1, p.RetryAfter)))
	}
	c.Locals(problemKey, strings.TrimPrefix(p.Type, rfc9457.Base))
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/problem+json")
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(p.Status).Send(body)
}
