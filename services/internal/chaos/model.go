package chaos

import (
	"errors"
	"fmt"
	"sync"
)

// Stored is the content of a warehouse: rows and rejects with their counts.
type Stored struct {
	Rows    map[Event]int
	Rejects map[string]int
}

// Model is the expected content of a warehouse once all published events are ingested.
type Model struct {
	mu   sync.Mutex
	seen map[string]bool
	want Stored
}

// NewModel returns a model of an empty table.
func NewModel() *Model {
	return &Model{
		seen: make(map[string]bool),
		want: Stored{Rows: make(map[Event]int), Rejects: make(map[string]int)},
	}
}

// Row adds a valid event: the first of its key is stored. Events of one key must be added in the
// order in which they get into the stream.
func (m *Model) Row(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.seen[e.ID] {
		m.seen[e.ID] = true
		m.want.Rows[e]++
	}
}

// Again adds an event whose key is stored again, because the previous one has left the window.
func (m *Model) Again(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.want.Rows[e]++
}

// Reject adds an event that breaks the contract.
func (m *Model) Reject(payload []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.want.Rejects[string(payload)]++
}

// Size returns the expected numbers of rows and of rejects.
func (m *Model) Size() (rows, rejects int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return total(m.want.Rows), total(m.want.Rejects)
}

// Missing returns how many expected rows and rejects are not stored.
func (m *Model) Missing(got Stored) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return missing(m.want.Rows, got.Rows) + missing(m.want.Rejects, got.Rejects)
}

func missing[K comparable](want, got map[K]int) (sum int) {
	for k, n := range want {
		sum += max(0, n-got[k])
	}
	return sum
}

// Check returns the differences as an error. Rejects have no key: where a producer resent events with an
// unknown outcome, resent allows duplicates of them.
func (m *Model) Check(got Stored, resent bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return errors.Join(
		differ("row", m.want.Rows, got.Rows, false),
		differ("reject", m.want.Rejects, got.Rejects, resent))
}

// Discount removes from got what this model has, unless it is stored more often: for events of which nobody knows
// whether they were published.
func (m *Model) Discount(got Stored) {
	m.mu.Lock()
	defer m.mu.Unlock()
	discount(m.want.Rows, got.Rows)
	discount(m.want.Rejects, got.Rejects)
}

func discount[K comparable](want, got map[K]int) {
	for k, n := range want {
		if got[k] <= n {
			delete(got, k)
		}
	}
}

func differ[K comparable](what string, want, got map[K]int, more bool) error {
	var missing, extra int
	var examples error
	report := func(counter *int, by int, k K, got, want int) {
		if *counter += by; *counter <= 3 {
			examples = errors.Join(examples, fmt.Errorf("%s %.300q: stored %d times, want %d", what, fmt.Sprint(k), got, want))
		}
	}
	for k, n := range want {
		switch {
		case got[k] < n:
			report(&missing, n-got[k], k, got[k], n)
		case got[k] > n && !more:
			report(&extra, got[k]-n, k, got[k], n)
		}
	}
	for k, n := range got {
		if want[k] == 0 {
			report(&extra, n, k, n, 0)
		}
	}
	if missing+extra == 0 {
		return nil
	}
	return errors.Join(fmt.Errorf("%ss: %d published, %d stored, %d missing, %d too many",
		what, total(want), total(got), missing, extra), examples)
}

func total[K comparable](counts map[K]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}
