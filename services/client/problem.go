package client

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Problem is a refusal: the server's problem document (RFC 9457), or what a proxy answered.
type Problem struct { //nolint:errname // what RFC 9457 calls it
	// Type is the path of the page about this kind of problem.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is what is wrong with this request, and the way out.
	Detail string `json:"detail"`
	// Parameter is the parameter at fault.
	Parameter string `json:"parameter"`
	// RequestID is the request's ID in the server's log.
	RequestID string `json:"request_id"`
	// Errors are violations of the contract by the events of a POST.
	Errors []Violation `json:"errors"`
	// RetryAfter is the earliest time of a retry; 0: the server gives none.
	RetryAfter time.Duration `json:"-"`
}

// Violation is one way in which an event breaks its contract.
type Violation struct {
	// Line is the event's number in its request, from 1.
	Line int `json:"line"`
	// Pointer is the JSON pointer (RFC 6901) of the value in the event, "" for the event.
	Pointer string `json:"pointer"`
	// Keyword is what of the contract failed.
	Keyword string `json:"keyword"`
	// Detail has what was expected and what was found.
	Detail string `json:"detail"`
}

func (p *Problem) Error() string {
	text := fmt.Sprintf("%s (%d)", p.Title, p.Status)
	if p.Parameter != "" {
		text += ", parameter " + p.Parameter
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}

// is reports whether the problem is of the kind.
func (p *Problem) is(kind string) bool { return strings.HasSuffix(p.Type, "/"+kind) }

// maxProblem is how much of an answer is read as a problem.
const maxProblem = 1 << 20

// transientStatuses are those that a retry may not meet again: of a server that is busy, of a proxy without one.
var transientStatuses = []int{
	http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable,
	http.StatusGatewayTimeout, http.StatusInsufficientStorage,
}

// problemOf reads the problem that was answered.
func problemOf(res *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	p := &Problem{}
	if err != nil || json.Unmarshal(body, p) != nil || p.Title == "" {
		*p = Problem{Type: "about:blank", Title: "HTTP status " + res.Status, Detail: strings.ToValidUTF8(string(body[:min(len(body), 200)]), "?")}
	}
	p.Status, p.RetryAfter = res.StatusCode, retryAfter(res.Header.Get("Retry-After"))
	if slices.Contains(transientStatuses, p.Status) {
		return &transientError{error: p, after: p.RetryAfter}
	}
	return p
}

// retryAfter reads the header, which is a number of seconds or a date.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(0, seconds), math.MaxInt32)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
