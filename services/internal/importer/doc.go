// Package importer converts the rows of a file to JSON documents, the events of a dataset. See
// package tabular for the formats.
//
// Text without a mapping is converted directly. Otherwise a temporary DuckDB instance, the only one
// that may read files, runs the mapping, a query over
//
//   - source: the file's rows, with the file's types. Columns of CSV
//     and TSV are VARCHAR, an empty field NULL and "" the empty string. A column of
//     JSON is BOOLEAN, BIGINT, HUGEINT, DOUBLE or VARCHAR if that represents all its
//     values exactly, else JSON, as for objects and arrays. Columns of Parquet
//     have the file's types, those of BLOB VARCHAR if every value is UTF-8. The column
//     _row is the line or row number; a mapping that selects it has it in its reports.
//   - each reference table under its name.
//
// SELECT * FROM source makes the same documents as no mapping:
//
//   - Numbers have all their digits, doubles in the shortest form that parses to the same value.
//     NaN and infinity are errors of their row.
//   - TIMESTAMPTZ is in UTC ("2001-01-13T14:56:00Z"), other times and dates are
//     written without a zone; all at any depth. Those outside of the years 0000 to
//     9999 are errors of their row. A TIMESTAMP for a date-time is an error of the file.
//   - BLOB is text if it is UTF-8, else an error of its row.
//   - NULL is left out if the contract lets the property be absent, else null.
//   - A text of CSV is converted to the contract's type: a number, true or false, JSON, text. An
//     empty one that can be none of these is left out.
package importer
