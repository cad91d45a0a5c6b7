// Package api answers GET requests from endpoints (package endpoint).
//
// # A request
//
//	router    reads the connection, and refuses what could be read in two ways
//	quick     answers from the cache in front of the router, where nothing else needs to be asked
//	handle    the rest: authorize, parse, cache, query, encode
//	admit     authorize: the key, its datasets, its rate
//	negotiate format and coding; request: parameters, page
//	answer    the query, in a turn (package queue), encoded (package encode) into a spool (package spool)
//	entry     the answer with its headers; problem: any error, once
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
// endpoints whose header has a chart, SVG. All but Parquet, which is compressed inside, come
// compressed (zstd or gzip) to those who take it. What becomes of each type is
// in the documentation of package encode.
//
// What was encoded goes to a spool: a megabyte in memory, then an unnamed temporary file. So the
// warehouse waits for no client, an error half-way is a problem document and not a
// torn answer, and five million rows grow the process by less than 50 MiB.
//
// # Caching
//
// An answer up to a megabyte is cached, in Config.CacheBytes for all. Within the
// endpoint's cache time it is served as it is. After it the warehouse is asked for its last
// commit, and the query runs only if there was one since; endpoints
// that use now(), random() and the like run anyway. In the last quarter of its
// time a popular answer is refreshed ahead, in the background. While the next one is being made,
// waits for its turn or finds the server too busy, the stale one is served for up to a minute more
// (RFC 9111, section 4.2.4), with its Age and Data-As-Of. The ETag is made from
// the commit, the endpoint as it is written and the request, so that every
// instance gives the same one, and 304 needs no query. Requests for the same at
// the same time share one query, which belongs to none of them: each waits as long as its
// own time, and the query ends with its limit or when nobody waits any more. A client
// that closes its connection, or its half of it, no longer waits.
//
// # Limits
//
// Config.Running queries run at once, Config.Waiting wait, more are refused with 503
// and Retry-After. Turns go round the clients: a key, or without keys an address (of
// IPv6 the first half). One has at most all but one of them and half of the queue;
// where the queue is full, who has the most in it gives up one. A query over its time is
// interrupted in DuckDB. Large answers take Config.SpoolBytes in the temporary
// directory, half of it one client's, and must be read at Config.ReadPace; 503 and, when
// the disk is nearly full, 507 refuse more. An endpoint sets its
// own limits with "-- limit: rows=N time=D". Rates a client have the headers
// RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers).
// Config.Memory ends queries when the process is short of memory: the
// youngest first, with 503 and the kind memory-pressure.
//
// # Access
//
// With Config.Keys a request under /v1 needs a key (Authorization: Bearer estela_…),
// stored as its SHA-256, valid for some datasets or all, and exchanged without a
// restart; without its file every key is refused. /docs and /openapi.json need one too, which a
// browser may send as a password (Basic), and list only what it opens. /livez needs none.
//
// Authorization is one line, whose scheme is not case-sensitive. A letter of a path in
// percent-encoding is that letter; %2F is no slash.
//
// A GET with a body, of another version than HTTP/1.0 or 1.1, or framed in a way that
// another reader could take for something else is answered with 400, and its
// connection closed.
//
// # Pages
//
// An endpoint with an order answers in pages of `limit` rows (package endpoint).
// One without an order answers in one piece. If that has more than
// Config.MaxRows rows it is refused, for an aggregate cut short is a wrong answer.
//
// # Errors
//
// Errors are RFC 9457 problem documents whose type is a path that stays and is a
// page about it, /docs/problems/KIND; /docs/problems lists them. DuckDB's message of
// a failed query is logged with the request's ID and never answered.
package api
