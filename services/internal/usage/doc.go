// Package usage counts what is answered to whom, and makes events of it: what one bills or throttles by.
//
// A [Meter] counts requests, errors, rows, bytes and time by subject and endpoint in memory. When a minute of
// the wall clock has ended, its counts become events of the dataset that is bundled as data/usage, an event a
// subject and endpoint, which are published and stored like any other. Add costs a cached answer about 40 ns.
//
// # Exactly once
//
// An answer is counted in one minute, under one lock. A minute's events are written once, with the process'
// random name and their number in their IDs, and kept until Redis has them all: they are published in one
// transaction. If its outcome is not known they are published again, and the worker drops those that it
// has, by their IDs.
//
// # What can be lost
//
// What a process has counted and not published: at most a minute, if it is killed. When it is stopped, what
// remains is published before it ends, but for answers that are still being sent when it no longer waits for
// their clients. While Redis is gone, minutes wait in memory, up to [MaxPending] bytes and
// [MaxAge], which is less than the dataset's dedupe window; then the oldest are given up, counted
// and logged.
//
// # Who
//
// A subject is the name of an API key. Without one it is [Anonymous]: an address is personal data, and is
// not stored. A process counts [MaxSeries] pairs of subject and endpoint a minute; further subjects are counted
// as [Other], by endpoint, so that the sums stay right. Neither name can be that of a key.
package usage
