// Package inference reads the rows of a file once and finds what a contract can say of them:
// the type of each column, whether it may be absent, the few values it has, and which columns
// identify a row. It reads all rows, not a sample, in memory that does not grow with the file.
//
// A type is what every value is, exactly: a column is an integer only if each of its texts is
// one and would come out as it went in. So an identifier (a code with a leading zero, more than
// 15 digits) stays text, and a date that can be read in two ways stays text and is said to.
package inference
