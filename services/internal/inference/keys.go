package inference

import "slices"

const (
	// searchRows is how many rows decide which groups of columns may be a key; the rest of the
	// rows verify them.
	searchRows = 20_000
	// maxGroups is how many groups are verified at a time, maxColumns how many columns each has.
	maxGroups, maxKeyColumns = 8, 4
	// maxHashes bounds the memory of the search: eight bytes each, in sets half full.
	maxHashes = 16 << 20
)

// keySearch finds the smallest group of columns that no two rows have in common. The first rows
// are remembered by the hashes of their values and decide which groups are tried.
type keySearch struct {
	rows    [][]uint64 // the first
	groups  []*group   // nil until these are complete
	decided bool
	total   int
}

// group is columns that have identified every row so far.
type group struct {
	columns []int
	seen    map[uint64]struct{}
	partial bool // the rows after some were not verified
}

func (k *keySearch) add(row []uint64) {
	if !k.decided {
		k.rows = append(k.rows, slices.Clone(row))
		if len(k.rows) >= searchRows {
			k.decide()
		}
		return
	}
	k.groups = slices.DeleteFunc(k.groups, func(g *group) bool { return !k.verify(g, row) })
}

// decide tries the groups of one column, then of two, and so on, and stops at the size at which
// there is one.
func (k *keySearch) decide() {
	k.decided = true
	width := 0
	for i := range k.rows {
		width = max(width, len(k.rows[i]))
	}
	distinct := make([]int, width)
	for c := range distinct {
		seen := map[uint64]struct{}{}
		for _, row := range k.rows {
			if c < len(row) {
				seen[row[c]] = struct{}{}
			}
		}
		distinct[c] = len(seen)
	}
	for size := 1; size <= maxKeyColumns && len(k.groups) == 0; size++ {
		k.combine(nil, 0, size, distinct)
	}
	k.rows = nil
}

// combine tries every group of that size that begins with the columns given.
func (k *keySearch) combine(columns []int, from, size int, distinct []int) {
	if size == 0 {
		k.try(columns, distinct)
		return
	}
	for c := from; c < len(distinct) && len(k.groups) < maxGroups; c++ {
		k.combine(append(slices.Clone(columns), c), c+1, size-1, distinct)
	}
}

// try keeps the group if it identifies the first rows.
func (k *keySearch) try(columns, distinct []int) {
	most := 1
	for _, c := range columns {
		most = min(most*distinct[c], len(k.rows))
	}
	if most < len(k.rows) {
		return
	}
	g := &group{columns: columns, seen: map[uint64]struct{}{}}
	for _, row := range k.rows {
		if !k.verify(g, row) {
			return
		}
	}
	k.groups = append(k.groups, g)
}

// verify reports whether no row before has the same values in the group's columns, and all have
// one.
func (k *keySearch) verify(g *group, row []uint64) bool {
	var hash uint64
	for _, c := range g.columns {
		if c >= len(row) || row[c] == 0 {
			return false
		}
		hash = (hash ^ row[c]) * 0x9e3779b97f4a7c15
		hash ^= hash >> 29
	}
	if g.partial {
		return true
	}
	if _, again := g.seen[hash]; again {
		return false
	}
	if k.total++; k.total > maxHashes {
		g.partial, g.seen = true, nil
		return true
	}
	g.seen[hash] = struct{}{}
	return true
}

// Key is the columns that identify a row.
type Key struct {
	// Columns are their names in the file; none: some rows are alike, or too many columns are
	// needed.
	Columns []string
	// Partial: not all rows were compared, for lack of memory.
	Partial bool
}

// Key finds the smallest group of columns that all rows have and no two have in common. Of
// several the first in the file's order counts.
func (p *Profile) Key() Key {
	if !p.keys.decided {
		p.keys.decide()
	}
	if len(p.keys.groups) == 0 {
		return Key{}
	}
	g := p.keys.groups[0]
	k := Key{Partial: g.partial}
	for _, c := range g.columns {
		k.Columns = append(k.Columns, p.columns[c].name)
	}
	return k
}
