// Package scaffold makes a dataset's folder of files that nobody has described: it reads them all
// (Read), decides what package inference leaves open, and writes what package dataset loads: contract,
// mapping, endpoints and sample.
//
// What it decides, and why:
//
//   - A property is required if every row has a value and there are 100 rows or more: fewer are no
//     promise. Key and time are always required.
//   - Few values of a text are its enum if the last new one came in the first tenth of 1,000 rows
//     or more; else the next file may have another, and they are examples.
//   - A bound is set only where it leaves room: an integer that is never negative in 1,000 rows, by
//     a name that is none of a difference, has the minimum 0; one a thousand times smaller than 32
//     bits hold becomes a 32-bit integer. A whole number that is a price or a rate by its name is a
//     number.
//   - A file's own name of a column is an alias of its property. A mapping is written only where values
//     are converted, or where the key has to be made.
//   - Without columns that identify a row, the key is a hash of the row and which of the rows that are
//     equal to it it is: so equal rows are all stored, and those of a file that is published again are
//     duplicates.
//   - The sample is all rows of a small file, else rows spread over all of it.
//   - Of a stream some entries are read, which are no promise for the others: nothing but key and time is
//     required, no bound is set, and without columns that identify an event there is no key. There is no
//     mapping either: what would have to be converted stays text (decideStream).
//
// Nothing is guessed silently: the contract's descriptions and Report say what is not certain.
package scaffold
