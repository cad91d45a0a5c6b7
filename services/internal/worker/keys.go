package worker

import "math/bits"

// The layout of a slot: the low 40 bits of the hash, 23 bits of stream time, and
// 1, so that no slot in use is 0.
const (
	keyTables   = 256
	timeBits    = 24
	stampMask   = 1<<(timeBits-1) - 1
	timeBuckets = 4096 // how finely the window is divided, at least
)

// keySet holds the keys of the dedupe window as hashes, with the stream time at which each was
// stored, so that only a hit costs a lookup, and that is limited to a range of stream time.
//
// It is 256 open-addressing tables of 8-byte slots, each grown alone, so that
// growth never doubles the whole. A slot and its table hold 48 bits of the hash.
// Two keys that share them have a slot each, and a hit on either looks up both
// times: a collision costs a lookup and never an event. Memory is
// 12 to 16 bytes a key: at most 480 MB for a window of 30 million keys.
type keySet struct {
	windowMS uint64
	shift    int    // stream time >> shift is its bucket
	nowMS    uint64 // the highest stream time added
	tables   [keyTables]keyTable
	warmth   uint64 // what warm read, kept so that it is read at all
	ahead    bool   // some keys were added at an earlier time than their rows have
}

type keyTable struct {
	slots []uint64 // 0 is empty
	used  int
}

func newKeySet(windowMS uint64) *keySet {
	return &keySet{windowMS: windowMS, shift: max(0, bits.Len64(windowMS/timeBuckets)-1)}
}

// seen reports whether the key may have been stored within the window of ms and,
// if so, the stream time (milliseconds, inclusive) in which. That can be after ms:
// a backfill is stored at once, an event that was streamed before it waits its turn.
func (k *keySet) seen(hash, ms uint64) (fromMS, toMS uint64, ok bool) {
	slots := k.tables[hash>>56].slots
	if len(slots) == 0 {
		return 0, 0, false
	}
	tag := hash << timeBits >> timeBits
	for i := home(tag, len(slots)); slots[i] != 0; i = next(i, slots) {
		if slots[i]>>timeBits != tag {
			continue
		}
		from := k.storedMS(slots[i], ms)
		if to := from + k.bucketMS() - 1; to+k.windowMS >= ms && from <= ms+k.windowMS {
			if !ok {
				fromMS, toMS, ok = from, to, true
			}
			fromMS, toMS = min(fromMS, from), max(toMS, to)
		}
	}
	return fromMS, toMS, ok
}

// add adds a key that was stored at ms.
func (k *keySet) add(hash, ms uint64) {
	k.nowMS = max(k.nowMS, ms)
	t := &k.tables[hash>>56]
	if (t.used+1)*3 > len(t.slots)*2 {
		k.rehash(t)
	}
	t.put(hash<<timeBits | ms>>k.shift&stampMask<<1 | 1)
}

// addClamped adds a key at its clamped time, which may be before its row's.
func (k *keySet) addClamped(hash, ms, clamped uint64) {
	k.ahead = k.ahead || clamped < ms
	k.add(hash, clamped)
}

// rehash drops what has left the window and makes room: afterwards the table is
// at most half full.
func (k *keySet) rehash(t *keyTable) {
	live := 0
	for i, slot := range t.slots {
		if slot != 0 && k.storedMS(slot, k.nowMS)+k.bucketMS()+k.windowMS < k.nowMS {
			t.slots[i] = 0
		} else if slot != 0 {
			live++
		}
	}
	old := t.slots
	t.slots, t.used = make([]uint64, max(64, live*2)), 0
	for _, slot := range old {
		if slot != 0 {
			t.put(slot)
		}
	}
}

// bucketMS is the width of a bucket of stream time in milliseconds.
func (k *keySet) bucketMS() uint64 { return 1 << k.shift }

// storedMS is the start of the bucket in which the slot's key was stored: the
// last one with its stamp that is not more than a window after ms. Stamps repeat
// after 2^23 buckets, at least a thousand windows, which at worst costs a lookup.
func (k *keySet) storedMS(slot, ms uint64) uint64 {
	bucket := ms >> k.shift
	back := (bucket - slot>>1) & stampMask
	if ahead := stampMask + 1 - back; ahead <= 2*timeBuckets {
		return (bucket + ahead) << k.shift
	}
	return (bucket - min(bucket, back)) << k.shift
}

// bytes is the memory that the slots take.
func (k *keySet) bytes() int {
	n := 0
	for i := range k.tables {
		n += 8 * len(k.tables[i].slots)
	}
	return n
}

func (t *keyTable) put(slot uint64) {
	i := home(slot>>timeBits, len(t.slots))
	for t.slots[i] != 0 {
		if t.slots[i] == slot {
			return
		}
		i = next(i, t.slots)
	}
	t.slots[i] = slot
	t.used++
}

// home is where the search for a 40-bit tag begins (Lemire, "A fast alternative
// to the modulo reduction", 2016).
func home(tag uint64, n int) int {
	hi, _ := bits.Mul64(tag<<timeBits, uint64(n))
	return int(hi)
}

func next(i int, slots []uint64) int {
	if i++; i == len(slots) {
		return 0
	}
	return i
}

// warmRows is how many rows warm is given at a time.
const warmRows = 64

// warm touches the slots of the hashes one after the other without waiting for
// any, so that the processor fetches them together: 30 million keys lie in main
// memory, and one lookup at a time costs three times as much.
func (k *keySet) warm(hashes []uint64) {
	var sum uint64
	for _, h := range hashes {
		if slots := k.tables[h>>56].slots; len(slots) > 0 {
			sum += slots[home(h<<timeBits>>timeBits, len(slots))]
		}
	}
	k.warmth = sum
}
