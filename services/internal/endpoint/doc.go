// Package endpoint parses, checks and pages endpoints: SQL files whose header comment declares
// their documentation, parameters and order. It knows nothing of HTTP.
//
//	Parse, Load      a file becomes an Endpoint: header (directives, declarations), then statement (scan)
//	Prepare          checks its SQL (vet) and has DuckDB prepare it in a temporary warehouse
//	Checker          does the same in the warehouse that runs it, and describes the Shape of its answer
//	Endpoint.Query   returns the SQL of a Page
//	Checker.Try      runs it, and finds plans that get slow with more data and implicit casts
//
// Every error in a file is a ParseError: file, line, reason and fix.
//
// # Parameters
//
//	-- param: NAME TYPE [required] [default=V] [enum=a,b] [pattern=RE2] [minimum=N] [maximum=N] [example=V] -- DESCRIPTION
//
// A value, in a request as in the header, is parsed like an event's property of that type
// (contract.ParseScalar). In the header it may stand in single or double quotes, in
// which a quote is written twice: default="New York", enum='a,b',c. ?x= and ?x are the
// empty string, which is valid for strings only; an absent parameter has its default, or NULL. In OpenAPI a pattern is ECMA-262's, or a note where there is none.
//
// A parameter's value is always bound, never part of the SQL text. In the query, $name becomes
// CAST($name AS the declared type), so that an absent parameter is a typed NULL and a timestamp
// is never interpreted in the session's time zone.
//
// # Columns
//
//	-- column: NAME [unit=U] [example=V] -- DESCRIPTION
//
// A column of the answer is documented by the contract's property whose values and name it has:
// the property's table is read, also through views, no select list gives its name to another
// expression (min, max, any_value, first, last, mode, arg_min and arg_max of it are its values) or
// to a reference table's column (r.name), and its type is the same, or a wider integer. What the header says of a column goes before that. A
// column that the answer does not have is an error of its line.
//
// # SQL
//
// Before DuckDB plans a statement its parse is checked (package statement). It may
// read its dataset's table, reference tables and views; tables of other datasets, also
// through a view, only if its header declares them:
//
//	-- reads: other, third
//
// and a key then needs the right to all of them. Functions are on an allowlist: none
// has side effects, reads files or reveals the instance. A number that sizes a value (range,
// repeat, lpad, list_resize, …) must be a constant, least(x, N), or a parameter of type
// integer with a maximum; no value, or vector of values, may exceed 64 MiB. Patterns of
// LIKE and GLOB are constants with few wildcards: contains and starts_with take
// parameters. SQL that was not checked is not run.
//
// # Pages
//
// An endpoint with an order answers in pages of `limit` rows. The cursor holds the
// values of the last row's order columns, so that a page begins right after the
// one before it, whatever was inserted meanwhile. NULL sorts last in both
// directions. The order need not be unique: rows that tie where a page ends are ordered
// by a hash of the whole row too, which the cursor then holds, with the number of rows
// given that are the same in every column; such a page takes two queries. An answer whose
// columns show now(), random() and the like, or that chance selects, differs from page to
// page, so they can't have an order. A cursor has a checksum of the endpoint, the order and the
// parameters it was made for; with others it is rejected. That guards against
// mistakes, not against forgery: its values are bound, so a forged one can read nothing that
// another request could not.
package endpoint
