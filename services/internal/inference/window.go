package inference

import (
	"math/bits"
	"slices"
)

const (
	// windowRows is how many of the first rows are in the window, windowBlock how many are after
	// each row whose number is a power of two.
	windowRows, windowBlock = 10_000, 1000
	// maxCells bounds the window's memory, 8 bytes each.
	maxCells = 4 << 20
)

// window is the hashes of the values of some of the rows, in which groups of columns are searched:
// the first, for rows that are alike are mostly near each other, and blocks of later ones.
type window struct {
	rows    [][]uint64
	cells   int
	partial bool // there are rows that are not in it
}

func (w *window) add(n int64, row []uint64) {
	block := n - 1<<max(0, bits.Len64(uint64(n))-1)
	if n >= windowRows && block >= windowBlock || w.cells+len(row) > maxCells {
		w.partial = true
		return
	}
	w.cells += len(row)
	w.rows = append(w.rows, slices.Clone(row))
}

// distinct counts the values of a column; ok if each row has one.
func (w *window) distinct(c int) (n int, ok bool) {
	var seen hashes
	for _, row := range w.rows {
		if c >= len(row) || row[c] == 0 {
			return 0, false
		}
		if seen.add(row[c], maxHashes) {
			n++
		}
	}
	return n, true
}

// differs reports whether no two rows have the same values in the columns. seen is memory to use.
func (w *window) differs(columns []int, seen *hashes) bool {
	seen.reset()
	for _, row := range w.rows {
		if !seen.add(combined(columns, row), maxHashes) {
			return false
		}
	}
	return true
}

// combined is the hash of the values of several columns, 0 if one has none.
func combined(columns []int, row []uint64) uint64 {
	var hash uint64
	for _, c := range columns {
		if row[c] == 0 {
			return 0
		}
		hash = (hash ^ row[c]) * 0x9e3779b97f4a7c15
		hash ^= hash >> 29
	}
	return hash | 1
}
