package worker

import (
	"sync"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
)

// inFlight knows the oldest entry that was read and is not committed.
type inFlight struct {
	mu            sync.Mutex
	first, handed contract.ID // of the batch being decoded, being committed
	pending       int         // entries read and not committed
	settled       contract.ID // all up to here was read by this attachment, or before, and is committed
	lastRead      time.Time
}

func (f *inFlight) with(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// begin notes that an attachment reads after the given ID. While it reads again
// that is below the position, and so must be what is trimmed: entries up to the
// position can be new ones.
func (f *inFlight) begin(after contract.ID) { f.with(func() { f.settled = after }) }

func (f *inFlight) settledTo() (id contract.ID) {
	f.with(func() { id = f.settled })
	return id
}

// received notes a read and the entries that it gave.
func (f *inFlight) received(entries int) {
	f.with(func() { f.lastRead, f.pending = time.Now(), f.pending+entries })
}

func (f *inFlight) decoding(first contract.ID) { f.with(func() { f.first = first }) }

func (f *inFlight) committing() {
	f.with(func() { f.handed, f.first = f.first, contract.ID{} })
}

func (f *inFlight) committed(entries int, last contract.ID) {
	f.with(func() { f.handed, f.pending, f.settled = contract.ID{}, f.pending-entries, last })
}

// none reports whether all that was read is committed.
func (f *inFlight) none() (none bool) {
	f.with(func() { none = f.pending == 0 })
	return none
}

func (f *inFlight) clear() {
	f.with(func() { f.first, f.handed, f.pending = contract.ID{}, contract.ID{}, 0 })
}

// age is that of the oldest entry in flight; with none, how long the stream has
// not been read beyond the bounded wait of a read.
func (f *inFlight) age(now time.Time) (age time.Duration) {
	f.with(func() {
		oldest := f.handed
		if oldest.IsZero() {
			oldest = f.first
		}
		if !oldest.IsZero() {
			age = max(0, now.Sub(time.UnixMilli(int64(oldest.MS))))
		} else if silence := now.Sub(f.lastRead); !f.lastRead.IsZero() && silence > 3*time.Second {
			age = silence
		}
	})
	return age
}
