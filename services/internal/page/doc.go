// Package page serves what people look at: HTML pages of the pipeline, its datasets and its endpoints.
//
//	page       routes, and what every page has: view (language, links, the navigation)
//	overview   /                            figures that move, shards, what is wrong
//	dataset    /datasets/NAME               contract, how to send, rows, profile, rejects
//	reference  /docs, /docs/DATASET/NAME    every endpoint with a form, its answer, its chart
//	query      /sql, /sql/answer            any SQL, as an endpoint without a file; its answer for downloads and pictures
//	reject     /datasets/NAME/rejects       rejects by reason, and one with its place marked
//	payload                                 the bytes of an event that a JSON pointer names
//	table                                   an answer of the API as a table, all digits, NULL apart
//	history    the samples of the last minutes, taken by one ticker
//	live       /live                        frames of server-sent events, made once a second for all
//	language   English and Spanish
//
// # What a page may do
//
// A page is one GET, complete without script, whose state is its URL. It reads by the API itself (Visit): with
// the visitor's credential, limits and turns. What looks at more than endpoints needs the right to inspect
// (package access). Nothing is changed by a page: replays and purges go through the operations listener.
//
// Output is escaped by html/template, and the Content-Security-Policy allows nothing inline and nothing
// from elsewhere. There are no cookies; a key is the browser's password for this origin (Basic), kept in
// its memory.
//
// # Live figures
//
// Samples are taken once a second (Config.Pipeline) and rendered once a second and language, whoever looks.
// A tab is a goroutine that waits for the next frame: one that can't keep up gets the newest and misses
// those between. A frame is the whole state, so a tab that comes back (Last-Event-ID) needs no more than the
// newest. Tabs in the background disconnect, for browsers open six connections to a server.
package page
