// Package column owns DuckDB's layout of values in memory: the kinds of values, the record
// of a string, and the vector that a batch is built of. Whoever writes or reads such memory
// (the decoder, the warehouse, answers) takes the layout from here.
package column
