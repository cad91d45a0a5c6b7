// Package api serves the endpoints of package endpoint over HTTP.
//
// # A request
//
//	router     reads the request; framing rejects what a proxy could read differently
//	fast_path  serves fresh cached JSON in front of the router, by the router's own checks, and leaves
//	           it every refusal
//	handle     the rest: authorize, parse, cache, query, encode
//	authorize  the credential (package access), what it opens, its rate limit
//	negotiate  format and coding; request: parameters, page
//	query      the query, in a turn (package queue), encoded (package encode) into a spool (package spool)
//	entry      the answer with its headers; problem: every error, mapped once
//	mcp        messages of agents, whose tools (package mcp) are GETs to this server, by its own handler
//
// # Answers
//
//	{"data":[{…},…],"meta":{"as_of":"2026-01-31T12:00:00Z","rows":100,"next":"…"}}
//
// as_of is the time of the last commit that the data shows, also in the header
// Data-As-Of; null before the first commit. next is the cursor of the next page,
// null on the last one; the header Link has it too, in every format.
//
// ?format= or Accept (RFC 9110 §12: weights, wildcards, parameters; then the closest range,
// then our order) choose JSON, NDJSON, CSV, Parquet, an Arrow IPC stream or, at
// endpoints whose header has a chart, SVG. All but Parquet, which is compressed inside, are
// compressed with zstd or gzip if the client accepts it. Package encode documents how each type
// is encoded.
//
// A chart is of all rows, up to chart.MaxRows or the header's limit, also where an answer has pages;
// its Link is the table behind it. ?format=chart has what the SVG shows, as JSON.
//
// ?format=schema (application/schema+json) answers with the JSON Schema of a row and
// ?format=dictionary with a table of the columns in CSV: both need no parameters and run no query.
// A column's documentation is its property's, or the header's (package endpoint).
//
// Encoded answers are spooled: a megabyte in memory, then an unlinked temporary file. So the
// warehouse waits for no client, an error half-way is a problem document and not a truncated
// answer, and five million rows grow the process by less than 50 MiB.
//
// # Caching
//
// Answers up to a megabyte are cached, Config.CacheBytes in all, and fresh for the endpoint's
// cache time. A stale answer is revalidated: the query runs only if the warehouse has a newer
// commit, or the SQL uses now(), random() and the like. A popular answer is refreshed in the
// background in the last quarter of its time. While that runs, waits for its turn or fails
// because the server is busy, the stale answer is served for up to a minute more
// (RFC 9111, section 4.2.4), with its Age and Data-As-Of. The ETag is a hash of the commit, the
// endpoint's definition and the request: every instance has the same, and 304 needs no query.
// Concurrent equal requests share one query (singleflight). Each waits for its own timeout, and
// the query is cancelled at its limit or when nobody waits. A client that closes its connection,
// or its half of it, no longer waits.
//
// # Limits
//
// Config.MaxRunning queries run at once and Config.MaxWaiting wait; more are refused with 503
// and Retry-After. Turns are granted round-robin among the clients: a key, the subject of a
// token, or without them an address (an IPv6 /64). One client has at most all turns but one, and half of the queue; if
// the queue is full, the client with the most requests in it loses its newest. A query over its
// time limit is interrupted in DuckDB. Large answers share Config.SpoolBytes of the temporary
// directory, half of it for one client, and must be read at Config.MinReadRate; more are refused
// with 503 or, when the disk is nearly full, 507. An endpoint sets its own limits with
// "-- limit: rows=N time=D". Rate limits have the headers
// RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers).
// Config.Memory cancels queries when the process is short of memory: the newest first, with 503
// and the kind memory-pressure.
//
// # Access
//
// With Config.Access a request under /v1 needs an API key or a signed token (Authorization: Bearer …;
// package access). Pages and /openapi.json need one too, which a browser may send as a password
// (Basic), and list only what it opens. A GET under /v1 takes the password as well, for what pages link to,
// unless Sec-Fetch-Site says that a page of another site asks. /livez needs none.
//
// A page may ask SQL of its own (Visit.Ask), if its credential has the right to inspect or, without
// Access, with Config.LocalOnly. Such a query is checked and limited as an endpoint's is, takes a turn for the check
// too, runs for Config.QueryTimeout at most, and its answer is not cached. DuckDB's message goes to the client then.
//
// A token may pin parameters. They are no parameters of its requests: giving one is answered as an
// unknown one is, and documents and errors leave it out. Their values are among the query's, in the
// key of the cache and of concurrent equal requests, and so in ETag and cursor. An endpoint that does
// not take one of the pins is refused, without the reason: an enum could list others' values.
//
// Authorization may be sent once; its scheme is case-insensitive. Percent-encoded unreserved
// characters of a path are decoded; %2F is not a slash.
//
// A GET with a body, of another version than HTTP/1.0 or 1.1, or with ambiguous framing
// (request smuggling) is answered with 400, and its connection closed.
//
// # Pages
//
// An endpoint with an order answers in pages of `limit` rows (package endpoint).
// One without an order answers in one piece and fails if that has more than Config.MaxRows
// rows, for a truncated aggregate is a wrong answer.
//
// # Errors
//
// Errors are RFC 9457 problem documents whose type is a stable path, the page
// that documents it: /docs/problems/KIND. /docs/problems lists them. DuckDB's message of a failed
// query is logged with the request's ID and never sent to the client.
package api
