package usage

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
)

// entryEvents is how many events an entry has.
const entryEvents = 1000

// minute are the events of a minute that has ended.
type minute struct {
	began    time.Time
	requests int64
	entries  []event.Payload
	bytes    int
}

// row is an event, as data/usage/contract.json has it.
type row struct {
	ID           string    `json:"id"`
	Minute       time.Time `json:"minute"`
	Subject      string    `json:"subject"`
	Endpoint     string    `json:"endpoint"`
	Operation    string    `json:"operation"`
	Requests     int64     `json:"requests"`
	Cached       int64     `json:"cached"`
	ClientErrors int64     `json:"client_errors"`
	ServerErrors int64     `json:"server_errors"`
	Rows         int64     `json:"rows"`
	Bytes        int64     `json:"bytes"`
	Milliseconds float64   `json:"milliseconds"`
}

// newMinute writes the events of a process' n-th minute.
func newMinute(instance string, n int, began time.Time, counts map[series]*count) *minute {
	all := &minute{began: began}
	i := 0
	for s, c := range counts {
		operation := "read"
		if s.write {
			operation = "write"
		}
		line, err := json.Marshal(row{
			ID: fmt.Sprintf("%s-%d-%d", instance, n, i), Minute: began.UTC().Truncate(time.Minute),
			Subject: s.subject, Endpoint: s.endpoint, Operation: operation,
			Requests: c.requests, Cached: c.cached, ClientErrors: c.clientErrors, ServerErrors: c.serverErrors,
			Rows: c.rows, Bytes: c.bytes, Milliseconds: float64(c.took.Microseconds()) / 1000,
		})
		if err != nil {
			panic(err) // texts and numbers
		}
		if i%entryEvents == 0 {
			all.entries = append(all.entries, event.Payload{Kind: event.Lines})
		}
		e := &all.entries[len(all.entries)-1]
		if e.Events > 0 {
			e.Data = append(e.Data, '\n')
		}
		e.Data = append(e.Data, line...)
		e.Events++
		all.requests += c.requests
		all.bytes += len(line) + 1
		i++
	}
	return all
}
