// Package inference reads the rows of a file once and finds what a contract can say of them:
// the type of each column, whether it may be absent, its few values, which columns identify a row,
// and which is the row's time. It reads all rows, not a sample, in memory that does not grow with the
// file.
//
// # Types
//
// A column has the narrowest type that every one of its values has exactly, so that it comes out as it
// went in. An identifier (a leading zero, more than 15 digits, a sign in front) is text. In a file
// without types, CSV, texts may also be written as programs and people do, with a decimal comma, the
// day before the month, without a zone: then the Layout says what has to be converted. What can be
// read in two ways (01/02/2026 in every row, or 1,234) stays text, and the column's Note says so.
//
// # Keys
//
// A column whose values differ in every row is a key, if it is of a kind that identifies: an
// identifier by its name, a text, a number that counts, a day; a measure that is unique by chance is
// none. If there is no such column, the shortest group of columns is searched among some of the rows,
// and verified by a second pass over all (Search). All values are remembered by their hashes; beyond
// a bound only those of a part of the values, and the Key says that it is Partial.
package inference
