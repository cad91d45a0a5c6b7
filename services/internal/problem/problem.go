// Package problem has the errors that clients of the HTTP listener see: problem documents (RFC 9457).
package problem

// Kind is a kind of problem: what is the same in all of its documents.
type Kind struct {
	Slug, Title string
	Status      int
	// Help says what to do, on the documentation's page.
	Help string
}

// Base is the path below which each kind has its page.
const Base = "/docs/problems/"

// Path returns the path of the kind's documentation, which is its type.
func (k Kind) Path() string { return Base + k.Slug }

// New returns a problem of the kind. parameter is the query parameter at fault, "" for none.
func (k Kind) New(parameter, detail string) *Problem {
	return &Problem{Type: k.Path(), Title: k.Title, Status: k.Status, Detail: detail, Parameter: parameter}
}

// WithCause returns a problem whose cause is logged and not sent.
func (k Kind) WithCause(cause error, detail string) *Problem {
	p := k.New("", detail)
	p.Cause = cause
	return p
}

// Problem is an error as the client sees it: an RFC 9457 document.
type Problem struct { //nolint:errname // what RFC 9457 calls it
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Instance is the request's path.
	Instance string `json:"instance,omitempty"`
	// Parameter is the query parameter at fault.
	Parameter string `json:"parameter,omitempty"`
	// RequestID is the request's ID in the log.
	RequestID string `json:"request_id,omitempty"`
	// Invalid is how many events of the request's body are invalid, Errors why, of the first ones.
	Invalid int         `json:"invalid,omitempty"`
	Errors  []LineError `json:"errors,omitempty"`

	// RetryAfter is the header's value, in seconds.
	//
	// Default: 1, for the statuses that ask for it.
	RetryAfter int `json:"-"`
	// Challenge is the header WWW-Authenticate, if any.
	Challenge string `json:"-"`
	// Cause is logged, never sent to the client. Logged: it is logged elsewhere.
	Cause  error `json:"-"`
	Logged bool  `json:"-"`
}

// LineError is one violation of a contract by an event of a request's body.
type LineError struct {
	// Line is the event's line of NDJSON, or its place in the array, from 1.
	Line int `json:"line"`
	// Pointer is the JSON pointer (RFC 6901) of the value in the event, "" for the event.
	Pointer string `json:"pointer"`
	// Keyword is what of the contract failed.
	Keyword string `json:"keyword"`
	// Detail has what was expected and what was found.
	Detail string `json:"detail"`
}

func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }
