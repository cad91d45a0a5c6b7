package inference

// maxHashes bounds the memory of all sets of hashes together: 8 bytes each, in tables half full.
const maxHashes = 8 << 20

// hashes is a set of hashes that finds whether one comes twice. Beyond a limit it keeps only those
// with some bits zero, a part of them, so that a value that comes twice is found if it is of that part.
type hashes struct {
	table []uint64 // 0 is free; open addressing
	count int
	mask  uint64 // bits that are zero in those kept
}

// Seen is a set of keys, by their hashes.
type Seen struct{ hashes hashes }

// Add adds a key and reports whether it is new; beyond the memory for 8 million keys only a part of
// them is compared.
func (s *Seen) Add(hash uint64) bool { return s.hashes.add(hash|1, maxHashes) }

// add adds a hash, not 0. It reports false if the set had it.
func (h *hashes) add(hash uint64, limit int) bool {
	if hash&h.mask != 0 {
		return true
	}
	if h.count >= limit {
		h.mask = h.mask<<1 | 2 // the lowest bit is set in each
		h.rebuild(len(h.table))
		return h.add(hash, limit)
	}
	if 2*h.count >= len(h.table) {
		h.rebuild(h.grown())
	}
	if !h.put(hash) {
		return false
	}
	h.count++
	return true
}

// grown is the size of a larger table; the small ones grow faster.
func (h *hashes) grown() int {
	if len(h.table) < 1<<18 {
		return max(1024, 8*len(h.table))
	}
	return 2 * len(h.table)
}

func (h *hashes) put(hash uint64) bool {
	for i := h.slot(hash); ; i = (i + 1) & (len(h.table) - 1) {
		switch h.table[i] {
		case 0:
			h.table[i] = hash
			return true
		case hash:
			return false
		}
	}
}

// slot mixes all bits of a hash, of which the mask may hold some.
func (h *hashes) slot(hash uint64) int {
	return int((hash*0x9e3779b97f4a7c15)>>20) & (len(h.table) - 1)
}

// rebuild moves what is kept to a table of the size, a power of two.
func (h *hashes) rebuild(size int) {
	old := h.table
	h.table, h.count = make([]uint64, size), 0
	for _, hash := range old {
		if hash != 0 && hash&h.mask == 0 {
			h.put(hash)
			h.count++
		}
	}
}

// partial reports whether a part of the values was left out.
func (h *hashes) partial() bool { return h.mask != 0 }

// reset empties the set.
func (h *hashes) reset() { clear(h.table); h.count, h.mask = 0, 0 }
