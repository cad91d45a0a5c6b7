// Package importer reads files whose rows become JSON documents, the events of a dataset:
// see package tabular for the formats.
//
// Text without a mapping is read as it comes. Otherwise a throw-away DuckDB instance, which
// alone may read files, answers the mapping: a query that sees
//
//   - source: the file's rows, each value as what it is in the file. Columns of CSV
//     and TSV are VARCHAR, an empty field NULL and "" the empty string. A column of
//     JSON is BOOLEAN, BIGINT, HUGEINT, DOUBLE or VARCHAR if that holds every value
//     in it exactly, and JSON if not, as of objects and arrays. Columns of Parquet
//     have the file's types, those of BLOB VARCHAR if every value is UTF-8. The column
//     _row is the line or row number; a mapping that passes it on lets reports name it.
//   - each reference table under its name.
//
// A mapping of SELECT * FROM source makes the documents that no mapping makes:
//
//   - Numbers have all their digits, of the shortest form that is the same double.
//     NaN and infinity are faults of their row.
//   - TIMESTAMPTZ is in UTC ("2001-01-13T14:56:00Z"), other times and dates are
//     written without a zone; all at any depth. Those outside of the years 0000 to
//     9999 are faults of their row. A TIMESTAMP for a date-time is a fault of the file.
//   - BLOB is text if it is UTF-8, a fault of its row if not.
//   - NULL is left out where the contract lets the property be absent, and null where
//     it must be there.
//   - A text of CSV is what the contract says: a number, true or false, JSON, text. An
//     empty one that must be none of these is left out.
package importer
