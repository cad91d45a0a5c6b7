// Package api answers GET requests from SQL files: each file is an endpoint, its
// header comment the documentation, the validation and the paging of it.
//
// # Answers
//
//	{"data":[{…},…],"meta":{"as_of":"2026-01-31T12:00:00Z","rows":100,"next":"…"}}
//
// as_of is the time of the last commit that the data shows, also in the header
// Data-As-Of; null before the first commit. next is the cursor of the next page,
// null on the last one.
//
// One rule a type: every numeric type is a JSON number with its exact digits
// (HUGEINT and DECIMAL too; NaN and the infinities are null); TIMESTAMPTZ is
// RFC 3339 in UTC with Z, TIMESTAMP the same without a zone, DATE YYYY-MM-DD
// (infinite times, and years that RFC 3339 can't write, are null); JSON, lists,
// structs and maps are embedded as JSON; BLOB is base64; every other type is the
// string that DuckDB casts it to. NULL is null, never left out.
//
// # Pages
//
// An endpoint with an order answers in pages of `limit` rows. The cursor holds the
// values of the last row's order columns, so that a page begins right behind the
// one before it, whatever was inserted meanwhile. NULL sorts last in both
// directions. A cursor bears a checksum of the endpoint, the order and the
// parameters it was made for; with others it is refused. That guards against
// mistakes, not against forgery: its values are bound, so a forged one can ask
// for nothing that another request could not.
//
// An endpoint without an order answers in one piece. If that has more than
// Config.MaxRows rows it is refused, for an aggregate cut short is a wrong answer.
//
// # Errors
//
// Errors are RFC 9457 problem documents whose type is a path that stays:
// /problems/invalid-parameter, unknown-parameter, invalid-cursor, too-many-rows
// (all 400), not-found (404), method-not-allowed (405), bad-request (400 and
// other 4xx), internal (500), query-timeout and unavailable (503). What DuckDB
// says of a failed query is logged with the request's ID and never answered.
//
// # SQL
//
// A parameter's value reaches DuckDB as a bound value only. In the query that
// runs, $name stands as CAST($name AS the declared type), so that an absent
// parameter is a typed NULL and an instant is never read in the session's zone.
package api
