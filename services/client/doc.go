// Package client publishes events to a pipeline and reads the answers of its endpoints. It is what a Go program
// imports; it needs no cgo.
//
//	c, err := client.New(client.Config{URL: "https://api.example.org", Key: os.Getenv("ESTELA_KEY")})
//
// # Read
//
// [Rows] iterates over the rows of all pages of an answer, [Pages] over the pages, and [Get] asks for one. T is any
// type that encoding/json fills from a row, and decides what is kept of a value:
//
//	column             type of the field      instead of which is lost
//	BIGINT             int64                  float64 rounds above 2^53
//	HUGEINT            *big.Int
//	DECIMAL            json.Number            float64 rounds its digits
//	TIMESTAMPTZ        time.Time
//	any that is NULL   a pointer, or any      the zero value looks like one
//	all of them        map[string]any         numbers are json.Number
//
// 'estela client --lang go' writes these types, with the documentation of every column, and a client with a
// method an endpoint: one file that needs nothing but the standard library, for who only reads and wants parameters
// checked by the compiler. Its row types are a T for this package, which adds retries, conditional requests and
// publishing.
//
// Each page shows the newest commit when it is asked for, which is in Page.AsOf (Data-As-Of). A cursor starts after
// the last row of its page, so no row is skipped or repeated that was there all along; rows that are committed
// meanwhile are seen if their place is still ahead.
//
// # Publish
//
// A [Publisher] batches events and sends one batch at a time, in the order of Publish. [Client.Publisher] sends them by
// HTTP (POST /v1/DATASET/events), [Redis.Publisher] to Redis itself; all else is the same:
//
//   - Back-pressure. At most two batches are in memory, one that is sent and one that is filled. Publish waits for
//     room, until its context ends.
//   - Retries. A batch that meets a server which is busy, full or gone is sent again, with exponential backoff, full
//     jitter and never before Retry-After, until the publisher's context ends.
//   - Idempotency. A batch has one key, the same at each attempt: its events are published once within 24 hours,
//     whether or not they have a key of their own. A program that was killed and starts over sends new batches: then
//     only the events' own key, within the contract's dedupe window, drops the second copy.
//   - Invalid events. A batch that has any is not published. By default the publisher ends with it. With
//     [PublisherConfig.OnInvalid] the invalid events are handed back and the others sent; with
//     [PublisherConfig.KeepInvalid] all are sent, and the warehouse keeps the invalid ones among its rejects.
//   - Nothing is lost silently. Flush and Close fail with a [PublishError] that has every event that was not published, in
//     order. Publish returned nil for each of them: a program that doesn't look at the error of Close loses them.
//
// A batch that is too large for the server is halved.
package client
