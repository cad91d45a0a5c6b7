package api

import "net/http"

// kind is the stable part of a problem.
type kind struct {
	Slug, Title string
	Status      int
	// Help is what to do, for the documentation.
	Help string
}

// The kinds of problems.
var (
	invalidParameter = newKind("invalid-parameter", "Invalid parameter", http.StatusBadRequest, "A value is not of its parameter's type, or against what the endpoint says of it; or a required one is missing. The member parameter names it and detail says what was expected.")
	unknownParameter = newKind("unknown-parameter", "Unknown parameter", http.StatusBadRequest, "The endpoint has no parameter of that name; detail lists those it has. Nothing is ignored, so that a misspelt filter is not taken for none.")
	invalidCursor    = newKind("invalid-cursor", "Invalid cursor", http.StatusBadRequest, "A cursor is good for the endpoint and the parameters it was given for. Take it from meta.next or the Link header and leave the other parameters as they were, or begin without one.")
	tooManyRows      = newKind("too-many-rows", "Too many rows", http.StatusBadRequest, "An answer in one piece has more rows than the endpoint gives. It is not cut short, for an aggregate without some of its rows is wrong. Narrow it with the endpoint's parameters; or its author pages it with -- order:.")
	cursorTooLong    = newKind("cursor-too-long", "Cursor too long", http.StatusBadRequest, "The page ends at a row whose values in the columns of the order are too long for a URL, so that no cursor could name the next page. Ask for a page of another length; the endpoint's author orders it by a shorter column, such as the key.")
	tooLarge         = newKind("answer-too-large", "Answer too large", http.StatusBadRequest, "The answer has more bytes than the server gives in one. Ask for fewer rows or a shorter page.")
	badRequest       = newKind("bad-request", "Bad request", http.StatusBadRequest, "The request is not one that HTTP allows; detail says why.")
	unauthorized     = newKind("unauthorized", "API key required", http.StatusUnauthorized, "Send a key that is known and has not expired: Authorization: Bearer estela_….")
	forbidden        = newKind("forbidden", "Not with this API key", http.StatusForbidden, "The key is good, but not for this dataset.")
	notFound         = newKind("not-found", "Not found", http.StatusNotFound, "Nothing is at this path; detail names the nearest endpoint. GET /v1 lists all.")
	methodNotAllowed = newKind("method-not-allowed", "Method not allowed", http.StatusMethodNotAllowed, "Only GET and HEAD are answered.")
	misdirected      = newKind("misdirected", "Misdirected request", http.StatusMisdirectedRequest, "The API is open to this machine alone, and the request was for another name than localhost or a loopback address. That is how a page in a browser would come to read it. Use one of these names; or let the API ask for keys, or be open to all: estela up --keys FILE, or --anonymous.")
	notAcceptable    = newKind("not-acceptable", "Not acceptable", http.StatusNotAcceptable, "Accept names no format that the endpoint has; detail lists those it has.")
	rateLimited      = newKind("rate-limited", "Too many requests", http.StatusTooManyRequests, "The client has made more requests in a second than it may. RateLimit-Policy says how many that is; wait as long as Retry-After says.")
	internal         = newKind("internal", "Internal error", http.StatusInternalServerError, "The server failed. Its log has the reason under the request_id that the problem and the header X-Request-ID name.")
	queryTimeout     = newKind("query-timeout", "Query took too long", http.StatusServiceUnavailable, "The query was stopped at the endpoint's time limit. Ask for less, or try again later.")
	overloaded       = newKind("overloaded", "Overloaded", http.StatusServiceUnavailable, "As many queries run and wait as the server takes on. Try again after what Retry-After says, and later with each failure.")
	noRoom           = newKind("no-room", "No room for the answer", http.StatusInsufficientStorage, "The answer is too large to be kept in memory, and the server's disk is nearly full; what is left is for ingestion. Ask for less, or try again later.")
	clientLeft       = newKind("client-left", "Client left", statusClientLeft, "The client closed the connection before the answer was there; its query was stopped. Only logs and metrics show this.")
	memoryPressure   = newKind("memory-pressure", "Out of memory for queries", http.StatusServiceUnavailable, "The server has as much memory as it may, and ended or refused the query so that ingestion goes on. Ask for less, or try again after what Retry-After says.")
	unavailable      = newKind("unavailable", "Unavailable", http.StatusServiceUnavailable, "The server is stopping, or can check no API key at the moment. Try again.")
)

// statusClientLeft is what logs and metrics commonly call a request that nobody waits for
// any more; it is no failure of the server's.
const statusClientLeft = 499

// kinds are all of them.
var kinds []kind

func newKind(slug, title string, status int, help string) kind {
	k := kind{slug, title, status, help}
	kinds = append(kinds, k)
	return k
}

// problemPath is where the kinds are documented.
const problemPath = "/docs/problems/"

// Path is where the kind is documented.
func (k kind) Path() string { return problemPath + k.Slug }
