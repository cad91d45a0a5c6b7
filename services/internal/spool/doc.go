// Package spool takes an answer while it is written: a megabyte in memory, then a temporary file
// without a name. So the warehouse waits for no client, an error half-way can still become
// another answer, and memory is bounded whatever the answer's size. The files of all answers
// share a Space, and are read at a pace.
package spool
