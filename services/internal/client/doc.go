// Package client writes typed clients of the API, one file without dependencies, from the
// endpoints' headers and the columns of their answers as DuckDB describes them.
//
// A Go program that publishes too, or wants retries and conditional requests, imports services/client: the
// types of rows that are written here are a T of its Rows.
//
// # Own templates
//
// A generator that reads /openapi.json would save us the templates. The well-kept ones
// (openapi-typescript with openapi-fetch, oapi-codegen, openapi-python-client) were weighed and do
// too little of what makes a client of this API worth having:
//
//   - Pages. The document says that there is a cursor; none of them makes an iterator of that.
//   - Digits. openapi-typescript makes every integer a number, and JSON.parse rounds those beyond
//     2^53. oapi-codegen makes a number without a format a float32. A DECIMAL is a float in all.
//   - Errors. A problem document is one more type of response, which every caller takes apart.
//   - Size. oapi-codegen writes 3,800 lines for the bundled datasets. They need openapi-fetch,
//     oapi-codegen/runtime, or httpx and attrs; and a toolchain of their own to run.
//
// For everything else there is /openapi.json.
//
// # Types
//
// Any column may be NULL: null, nil or None. Each type holds every value that package encode writes:
//
//	type                       TypeScript           Go               Python
//	BOOLEAN                    boolean              bool             bool
//	integers up to 32 bits     number               int8 … uint32    int
//	BIGINT, UBIGINT            bigint               int64, uint64    int
//	HUGEINT, UHUGEINT, BIGNUM  bigint               *big.Int         int
//	DECIMAL                    string: its digits   json.Number      decimal.Decimal
//	FLOAT, DOUBLE              number               float32, float64 float
//	DATE                       string               Date             datetime.date
//	TIMESTAMPTZ                string               time.Time        datetime.datetime, in UTC
//	TIMESTAMP, _S, _MS         string               LocalTime        datetime.datetime, naive
//	TIMESTAMP_NS               string               LocalTime        str
//	UUID                       string               string           uuid.UUID
//	BLOB                       Uint8Array           []byte           bytes
//	JSON                       Json                 json.RawMessage  object
//	list, array                array                slice            list
//	struct, union              object type          struct           TypedDict
//	map                        Record               map              dict
//	all others                 string               string           str
//
// A date or time is text in TypeScript, for a Date has milliseconds and DuckDB microseconds. Date and
// LocalTime are text too, with a method that parses them. Python has no year 0: such a value is a
// ValueError. In a JSON value, a number that a double can't hold is a bigint or the class Digits
// in TypeScript, and a Decimal in Python.
//
// # Names
//
// Names become camelCase, PascalCase or snake_case; those that are a word of the language get an
// underscore, those that begin with a digit an x, and of equal ones the second gets a 2. The
// properties of rows and parameters keep their names in TypeScript, where any text may be one.
package client
