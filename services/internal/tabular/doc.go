// Package tabular reads files of rows: CSV, TSV, NDJSON and JSON, plain or
// compressed, in any encoding; and it knows Parquet when it sees it. It guesses
// nothing about values: a field is the text that it is, a document its bytes.
//
//   - gzip and zstd are known by their first bytes, whatever the file is called.
//     So is Parquet, and what nobody here reads: archives, spreadsheets, Avro.
//   - Text is UTF-8; with a byte order mark it may be UTF-16 or UTF-32, and
//     Options.Encoding names any other. What can't be decoded is the fault of its
//     row, never another character.
//   - The format is the one that is asked for, else the one the file's name says,
//     else its content. A name and a content that contradict each
//     other are settled by the content.
//   - CSV begins with a header. Fields are separated by the comma, semicolon, tab or
//     bar that the header has most of outside of quotes, or by what a line "sep=;" before
//     it says; those of TSV by tabs. Lines
//     end in \n or \r\n, or in \r alone if the header's does. A field between quotes
//     may hold anything, a quote twice; what is in it is not changed. Blank lines
//     are passed over.
//   - An empty field is no value; "" is the empty string.
//   - NDJSON is a document a line, so that one that is broken costs its line only.
//     JSON is arrays of documents, or documents one after another, on as many lines
//     as they like. Its first document decides which of the two a file is.
//
// Rows are numbered by the line they begin on, from 1, as an editor counts.
package tabular
