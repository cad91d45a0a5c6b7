package chaos

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Contract returns the contract of the tests' dataset with the number of shards and the dedupe window.
func Contract(shards int, dedupe string) []byte {
	return fmt.Appendf(nil, `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Chaos",
  "description": "Events of the failure tests.",
  "type": "object",
  "x-estela": {"key": "id", "time": "at", "shards": %d, "dedupe": %q},
  "properties": {
    "id": {"type": "string", "minLength": 1, "maxLength": 64, "description": "Names the event."},
    "at": {"type": "string", "format": "date-time", "description": "When it happened."},
    "n": {"type": "integer", "description": "A number."},
    "text": {"type": "string", "description": "A text of any length."}
  },
  "required": ["id", "at", "n", "text"],
  "additionalProperties": false
}`, shards, dedupe)
}

// Event is one event, comparable with a stored row.
type Event struct {
	ID string
	// At is in microseconds since 1970.
	At   int64
	N    int64
	Text string
}

// JSON returns the event as published.
func (e Event) JSON() []byte {
	text, _ := json.Marshal(e.Text) // a string can always be written
	return fmt.Appendf(nil, `{"id":%q,"at":%q,"n":%d,"text":%s}`,
		e.ID, time.UnixMicro(e.At).UTC().Format(time.RFC3339Nano), e.N, text)
}

// Source generates events for a test and adds them to its model. It belongs to one
// goroutine.
type Source struct {
	// Model gets every event.
	Model *Model
	// One in Poison events breaks the contract, one in Repeat has the key of an earlier one; 0 is
	// none.
	Poison, Repeat int

	name   string
	random *rand.Rand
	n      int
	recent []string // keys
}

// NewSource returns a source with the prefix name of its keys and the seed of its random choices.
func NewSource(name string, seed uint64, m *Model) *Source {
	return &Source{Model: m, Poison: 10, Repeat: 8, name: name, random: rand.New(rand.NewPCG(seed, 1))}
}

// Next returns the next event and the key that decides its shard.
func (s *Source) Next() (payload []byte, key string) {
	s.n++
	key = fmt.Sprintf("%s-%d", s.name, s.n)
	if s.Poison > 0 && s.random.IntN(s.Poison) == 0 {
		payload = s.poison(key)
		s.Model.Reject(payload)
		return payload, key
	}
	if s.Repeat > 0 && len(s.recent) > 0 && s.random.IntN(s.Repeat) == 0 {
		key = s.recent[s.random.IntN(len(s.recent))]
	}
	if s.recent = append(s.recent, key); len(s.recent) > 2000 {
		s.recent = s.recent[1000:]
	}
	e := s.event(key)
	s.Model.Row(e)
	return e.JSON(), key
}

// Fresh returns a valid event with a new key, which Next will not repeat. It is not added to the model.
func (s *Source) Fresh() Event {
	s.n++
	return s.event(fmt.Sprintf("%s-%d", s.name, s.n))
}

func (s *Source) event(key string) Event {
	return Event{
		ID: key, At: time.Now().UnixMicro(), N: s.random.Int64N(1 << 40),
		Text: strings.Repeat("ñ", s.random.IntN(40)) + " of " + key,
	}
}

// poison returns an event that breaks the contract in one of many ways, without line breaks, so that it
// can be a line of an NDJSON entry.
func (s *Source) poison(key string) []byte {
	valid := s.event(key).JSON()
	switch s.random.IntN(8) {
	case 0:
		return []byte("not JSON " + key)
	case 1:
		return valid[:len(valid)-1]
	case 2:
		return fmt.Appendf(nil, `{"id":%q,"at":"yesterday","n":1,"text":""}`, key)
	case 3:
		return fmt.Appendf(nil, `{"id":%q}`, key)
	case 4:
		return fmt.Appendf(nil, "{\"id\":\"%s\xff\xfe\",\"at\":\"2026-01-01T00:00:00Z\",\"n\":1,\"text\":\"\"}", key)
	case 5:
		return append(valid, "\x00\x01\x00"...)
	case 6:
		return fmt.Appendf(nil, `{"id":%q,"at":"2026-01-01T00:00:00Z","n":1e400,"text":""}`, key)
	default:
		return fmt.Appendf(nil, `{"id":%q,"at":"2026-01-01T00:00:00Z","n":1,"text":"","more":true}`, key)
	}
}
