// Package endpoint is what an endpoint is: a SQL file whose header comment is the
// documentation, the validation and the paging of it. It knows nothing of HTTP.
//
//	Parse, Load      a file becomes an Endpoint: header (directives, words), then statement (scan)
//	Prepare          its statement is vetted, and prepared by DuckDB in a trial warehouse
//	Checker          the same in the warehouse that runs it: the Shape of its answer
//	Endpoint.Query   the SQL of a Page
//	Checker.Try      what would be slow with more data, and casts that nobody wrote
//
// Whatever is wrong with a file is a ParseError: file, line, reason and the way out.
//
// # Parameters
//
//	-- param: NAME TYPE [required] [default=V] [enum=a,b] [pattern=RE2] [minimum=N] [maximum=N] [example=V] -- DESCRIPTION
//
// A value, in a request as in the header, is read as an event's property of that type
// is (contract.ParseScalar). In the header it may stand in single or double quotes, in
// which a quote is written twice: default="New York", enum='a,b',c. ?x= and ?x are the
// empty string, which is a string and no value of another type; what is left out is the
// default, or NULL. In OpenAPI a pattern is ECMA-262's, or a note where there is none.
//
// A parameter's value reaches DuckDB as a bound value only. In the query that
// runs, $name stands as CAST($name AS the declared type), so that an absent
// parameter is a typed NULL and an instant is never read in the session's zone.
//
// # SQL
//
// Before DuckDB plans a statement its parse is checked (package statement). It may
// read its dataset's table, reference tables and views; tables of other datasets, also
// through a view, only if its header declares them:
//
//	-- reads: other, third
//
// and a key then needs the right to all of them. Functions are those of a list: none
// has an effect, reads files or shows the instance. A value that a number sizes (range,
// repeat, lpad, list_resize, …) wants a constant, least(x, N), or a parameter of type
// integer with a maximum; no value, or vector of values, may exceed 64 MiB. Patterns of
// LIKE and GLOB are constants with few wildcards: contains and starts_with take
// parameters. What was not checked is not run.
//
// # Pages
//
// An endpoint with an order answers in pages of `limit` rows. The cursor holds the
// values of the last row's order columns, so that a page begins right after the
// one before it, whatever was inserted meanwhile. NULL sorts last in both
// directions. The order need not be unique: rows that tie where a page ends are ordered
// by a hash of the whole row too, which the cursor then holds, with the number of rows
// given that are the same in every column; such a page takes two queries. An answer whose
// columns show now(), random() and the like, or that chance selects, is another for each
// page, and is refused an order. A cursor has a checksum of the endpoint, the order and the
// parameters it was made for; with others it is refused. That guards against
// mistakes, not against forgery: its values are bound, so a forged one can ask
// for nothing that another request could not.
package endpoint
