// Package tabular reads files of rows: CSV, TSV, NDJSON and JSON, plain or compressed, in any
// encoding. It detects Parquet, but does not read it. It infers no types: a field is its text,
// a document its bytes.
//
//   - gzip and zstd are detected by their first bytes, whatever the file's name. So are
//     Parquet and unsupported files: archives, spreadsheets, Avro.
//   - Text is UTF-8; with a byte order mark it may be UTF-16 or UTF-32, and
//     Options.Encoding names any other. Bytes that can't be decoded are an error of their
//     row, never replaced.
//   - The format is that of Options, else of the file's name, else of its content. Where name
//     and content contradict each other, the content wins.
//   - CSV begins with a header. The separator is the comma, semicolon, tab or bar that is most
//     frequent in the header outside of quotes, or that of a line "sep=;" before it; in TSV it
//     is the tab. Lines end in \n or \r\n, or in \r alone if the header's does. A quoted
//     field may contain anything, with quotes doubled. Blank lines are skipped.
//   - An empty field is absent; "" is the empty string.
//   - NDJSON is a document a line, so that an invalid one costs its line only. JSON is arrays
//     of documents, or documents one after another, on any number of lines. The first document
//     decides which of the two a file is.
//
// Rows are numbered by the line they begin on, from 1, as in an editor.
//
// # Parquet, and adding a format
//
// Parquet is read by DuckDB: package importer makes it the view "source" (its parquet.go), with or
// without a mapping. Format.ReadByDuckDB is the only place that says so.
//
// To add a format: add the constant, its name in ParseFormat and its extension in byName; signatures
// if it is binary, detect if it is text; and in package importer a case in eachText and load or, if
// DuckDB reads it, one in prepare.
package tabular
