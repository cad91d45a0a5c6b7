// Package testlog reads the events of `go test -json` while they are written,
// counts the tests, and keeps what is worth printing: the output of tests that
// failed, and of those that were skipped, for a skip is a failure here. A test
// that checks nothing prints "ok" all the same, and nobody reads that.
//
// A test is counted where it ends: one with sub-tests counts through them, and
// by itself only if it failed although none of them did. A benchmark that
// passes has no event of its own: it counts when its figures were printed, or
// when its package passed.
package testlog
