// Package api answers GET requests from endpoints (package endpoint).
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
// An answer up to a megabyte is kept, in Config.CacheBytes for all. Within the
// endpoint's cache time it is given again. After it the warehouse is asked which
// commit is the last, and the query runs only if there was one since; endpoints
// that use now(), random() and the like run anyway. In the last quarter of its
// time a popular answer is refreshed beside the requests. While the next one is being made,
// waits for its turn or finds the server too busy, the old one is given for up to a minute more
// (RFC 9111, section 4.2.4): its Age and Data-As-Of say how old it is. The ETag is made from
// the commit, the endpoint as it is written and the request, so that every
// instance gives the same one, and 304 needs no query. Requests for the same at
// the same time share one query, which is none of theirs: each waits as long as its
// own time, and the query ends with its limit or when nobody waits any more. A client
// that closes its connection, or its half of it, no longer waits.
//
// # Limits
//
// Config.Running queries run at once, Config.Waiting wait, more are refused with 503
// and Retry-After. Turns go round the clients: a key, or without keys an address (of
// IPv6 the first half). One holds all but one of them and half of the places to wait;
// where all places are taken, who has the most gives one up. A query over its time is
// interrupted in DuckDB. Large answers take Config.SpoolBytes in the temporary
// directory, half of it one client's, and must be read at Config.ReadPace; 503 and, when
// the disk is nearly full, 507 refuse more. An endpoint sets its
// own limits with "-- limit: rows=N time=D". Rates a client have the headers
// RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers).
//
// # Access
//
// With Config.Keys a request under /v1 bears a key (Authorization: Bearer estela_…),
// stored as its SHA-256, good for some datasets or all, and exchanged without a
// restart; a file that is gone closes. /docs and /openapi.json need one too, which a
// browser may send as a password (Basic). A key is told the names of what it opens
// only. /livez needs none.
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
//
// An endpoint without an order answers in one piece. If that has more than
// Config.MaxRows rows it is refused, for an aggregate cut short is a wrong answer.
//
// # Errors
//
// Errors are RFC 9457 problem documents whose type is a path that stays and is a
// page about it, /docs/problems/KIND; /docs/problems lists them. What DuckDB
// says of a failed query is logged with the request's ID and never answered.
//
// # Memory
//
// Config.Memory ends queries when the process is short of memory: the
// youngest first, with 503 and the kind memory-pressure.
package api
