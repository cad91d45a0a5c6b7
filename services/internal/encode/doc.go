// Package encode encodes the rows of an answer as JSON, NDJSON, CSV, an Arrow IPC stream or
// Parquet; package chart draws. It only writes. A new format is a Func here and a line of the table in
// internal/api/format.go. One rule a type, at any depth:
//
//	type                       JSON and NDJSON            CSV                Parquet, Arrow
//	integers                   number, every digit        the same           their own
//	HUGEINT, UHUGEINT          number, every digit        the same           decimal(38,0); 406 beyond it
//	DECIMAL                    number, every digit        the same           decimal
//	FLOAT, DOUBLE              number; NaN, ±Inf null     NaN, +Inf, -Inf    float
//	TIMESTAMPTZ                RFC 3339 in UTC with Z     the same           timestamp, UTC
//	TIMESTAMP                  the same without a zone    the same           timestamp, no zone
//	DATE                       YYYY-MM-DD                 the same           date
//	list, array                array                      its JSON text      list
//	struct                     object                     its JSON text      struct
//	map                        object, by the keys' text  its JSON text      map
//	union                      object of one, by its tag  its JSON text      its JSON text
//	JSON                       embedded                   its JSON text      its text, as arrow.json
//	BLOB                       base64                     base64             binary
//	UUID, ENUM, TIME, INTERVAL what DuckDB casts to text  the same           text
//	BIGNUM                     number, every digit        the same           text
//	all others                 what DuckDB casts to text  the same           text
//	NULL                       null, never left out       an empty field     null
//
// In JSON and CSV, times that RFC 3339 can't write (infinite ones, years outside 0 to
// 9999) are NULL; in Parquet and Arrow the infinite ones alone. The empty string is "" in
// CSV. Digits beyond 2^53 are exact in the document, though JavaScript's own parser rounds
// them.
//
// Parquet is written by DuckDB itself (OpenParquet), which is given the values in the right column as they
// lie in memory; TIMESTAMP_S becomes milliseconds. The messages of Arrow are written here.
//
// Rows are read as DuckDB lays them out, a chunk at a time (package result). JSON is
// written here because DuckDB's to_json takes 2.1 times as long (BenchmarkEncode),
// without our rules for times and NaN.
package encode
