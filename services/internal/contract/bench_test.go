package contract_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// movement is an event of 12 properties and about 300 bytes.
const movementSchema = `{
	"type": "object", "additionalProperties": false,
	"x-estela": {"key": "event_id", "time": "occurred_at", "partition": "flight_id"},
	"required": ["event_id", "event_type", "occurred_at", "flight_id", "origin", "destination", "cancelled"],
	"properties": {
		"event_id": {"type": "string", "format": "uuid"},
		"event_type": {"type": "string", "enum": ["departed", "landed", "arrived"]},
		"occurred_at": {"type": "string", "format": "date-time"},
		"scheduled_at": {"type": "string", "format": "date-time"},
		"flight_id": {"type": "string", "minLength": 1, "maxLength": 64},
		"carrier": {"type": "string", "pattern": "^[A-Z0-9]{2}$"},
		"origin": {"type": "string", "pattern": "^[A-Z]{3}$"},
		"destination": {"type": "string", "pattern": "^[A-Z]{3}$"},
		"delay_minutes": {"type": "integer", "minimum": -1440, "maximum": 14400},
		"distance_km": {"type": "number", "minimum": 0},
		"gate": {"type": ["string", "null"], "maxLength": 8},
		"cancelled": {"type": "boolean"}
	}
}`

func movement(i int) []byte {
	return fmt.Appendf(nil, `{"event_id":"123e4567-e89b-12d3-a456-4266%08x","event_type":"departed",`+
		`"occurred_at":"2001-01-%02dT14:%02d:00Z","scheduled_at":"2001-01-01T14:45:00Z","flight_id":"20010101-AA-%04d",`+
		`"carrier":"AA","origin":"LAX","destination":"BNA","delay_minutes":%d,"distance_km":2892.5,"gate":"B%d","cancelled":false}`,
		i, i%28+1, i%60, i%10000, i%200-20, i%40)
}

func flight(i int) []byte {
	id := fmt.Sprintf("200101%02dT0655-LAX-BNA-%d", i%28+1, i%9000+1)
	return fmt.Appendf(nil, `{"event_id":"%s:completed","event_type":"flight.completed",`+
		`"occurred_at":"2001-01-%02dT14:55:00Z","flight_id":"%s","departed_local":"2001-01-%02dT06:55:00",`+
		`"origin":"LAX","origin_zone":"America/Los_Angeles","destination":"BNA","arrival_delay_minutes":%d,"distance_miles":1797,"source":"bts"}`,
		id, i%28+1, id, i%28+1, i%200-20)
}

// BenchmarkDecode is the cost of an event on one core. "flights" is the bundled
// contract, with a pattern on eight of its eleven properties.
func BenchmarkDecode(b *testing.B) {
	flights, err := os.ReadFile("../../../data/flights/contract.json")
	if err != nil {
		b.Fatal(err)
	}
	cases := []struct {
		name, schema string
		event        func(int) []byte
	}{
		{"movement", movementSchema, movement},
		{"flights", string(flights), flight},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) { benchmarkDecode(b, parse(b, c.schema), c.event) })
	}
}

// BenchmarkDecodeFields is the cost of an event that is the fields of a stream's entry.
func BenchmarkDecodeFields(b *testing.B) {
	c := parse(b, strings.Replace(movementSchema, `"x-estela": {`, `"x-estela": {"stream": {"key": "movements"}, `, 1))
	payload := fieldsOf("event_id", "123e4567-e89b-12d3-a456-426600000001", "event_type", "departed", "occurred_at", "2001-01-02T14:55:00Z",
		"scheduled_at", "2001-01-01T14:45:00Z", "flight_id", "20010101-AA-0001", "carrier", "AA", "origin", "LAX", "destination", "BNA",
		"delay_minutes", "-20", "distance_km", "2892.5", "gate", "B4", "cancelled", "false")
	const rows = 10_000
	d, batch := c.NewDecoder(), c.NewBatch(0, rows)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if batch.Rows == rows {
			batch.Reset()
		}
		if d.DecodeEntry(batch, event.Entry{Kind: event.Fields, Payload: payload}); len(batch.Rejects) > 0 {
			b.Fatal(batch.Rejects[0].Violations)
		}
	}
}

func benchmarkDecode(b *testing.B, c *contract.Contract, eventOf func(int) []byte) {
	b.Helper()
	const rows = 10_000
	events := make([][]byte, rows)
	for i := range events {
		events[i] = eventOf(i)
	}
	d, batch := c.NewDecoder(), c.NewBatch(0, rows)
	b.SetBytes(int64(len(events[0])))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n == rows {
			batch.Reset()
			n = 0
		}
		if !d.Decode(batch, events[n], event.ID{MS: 1}, 0) {
			b.Fatal(batch.Rejects[0].Violations)
		}
		n++
	}
}
