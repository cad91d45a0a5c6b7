package worker

import (
	"sync"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
)

// inFlight tracks the entries that were read and are not committed.
type inFlight struct {
	mu                           sync.Mutex
	decodingFrom, committingFrom event.ID // of the batch being decoded, being committed
	pending                      int      // entries read and not committed
	committedID                  event.ID // all up to it is committed, as far as this pipeline has read
	lastRead                     time.Time
}

func (f *inFlight) with(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// begin starts a pipeline that reads after the given ID. While it rereads, that is below the
// position, and so must be the bound of a trim: entries up to the position may be new.
func (f *inFlight) begin(after event.ID) { f.with(func() { f.committedID = after }) }

func (f *inFlight) committedTo() (id event.ID) {
	f.with(func() { id = f.committedID })
	return id
}

// received counts the entries that a read returned.
func (f *inFlight) received(entries int) {
	f.with(func() { f.lastRead, f.pending = time.Now(), f.pending+entries })
}

func (f *inFlight) decoding(first event.ID) { f.with(func() { f.decodingFrom = first }) }

// committing is called for a batch by its first entry, when the next one may be decoded already.
func (f *inFlight) committing(first event.ID) {
	f.with(func() {
		if f.committingFrom = first; f.decodingFrom == first {
			f.decodingFrom = event.ID{}
		}
	})
}

func (f *inFlight) committed(entries int, last event.ID) {
	f.with(func() { f.committingFrom, f.pending, f.committedID = event.ID{}, f.pending-entries, last })
}

// isEmpty reports whether all that was read is committed.
func (f *inFlight) isEmpty() (empty bool) {
	f.with(func() { empty = f.pending == 0 })
	return empty
}

func (f *inFlight) clear() {
	f.with(func() { f.decodingFrom, f.committingFrom, f.pending = event.ID{}, event.ID{}, 0 })
}

// age is that of the oldest entry in flight; without one, the time since the last read, if that
// is longer than a read may block.
func (f *inFlight) age(now time.Time) (age time.Duration) {
	f.with(func() {
		oldest := f.committingFrom
		if oldest.IsZero() {
			oldest = f.decodingFrom
		}
		if !oldest.IsZero() {
			age = max(0, now.Sub(time.UnixMilli(int64(oldest.MS))))
		} else if silence := now.Sub(f.lastRead); !f.lastRead.IsZero() && silence > 3*time.Second {
			age = silence
		}
	})
	return age
}
