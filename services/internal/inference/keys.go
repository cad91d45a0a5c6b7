package inference

import (
	"cmp"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/contract"
)

const (
	// maxKeyColumns is how many columns a key has at most.
	maxKeyColumns = 4
	// maxSearched is how many columns groups are made of, maxGroups how many groups of a size are
	// verified.
	maxSearched, maxGroups = 12, 4
	// maxKeyText is the average length of texts, in bytes, beyond which they describe and do not
	// identify.
	maxKeyText = 40
)

// Key is the columns that identify a row: no two rows have the same values in them.
type Key struct {
	// Columns are their indexes among the columns; none: there are no such columns.
	Columns []int
	// Partial: for lack of memory, a part of the values was compared only.
	Partial bool
	// Chance: with so few rows, they may differ by chance.
	Chance bool
}

// costs of columns as a key, or as part of one: the lowest is best.
const (
	costID = iota
	costPeriod
	costText
	costCount
	costTime
	never = 100
)

// Key finds the column that identifies a row, or returns the search for a group of columns, which
// needs the rows once more; the search is nil if no group can be a key.
func (p *Profile) Key() (Key, *Search) {
	columns := p.Columns()
	best, at := never, -1
	for _, c := range p.unique {
		if cost := p.single(c, &columns[c]); cost < best {
			best, at = cost, c
		}
	}
	if at >= 0 {
		return Key{Columns: []int{at}, Partial: p.columns[at].seen.partial(), Chance: best > costID && p.rows < CertainRows}, nil
	}
	s := &Search{profile: p}
	for _, group := range p.groups(columns) {
		s.groups = append(s.groups, &keyGroup{columns: group, limit: maxHashes / (2 * maxGroups)})
	}
	switch {
	case len(s.groups) == 0:
		return Key{}, nil
	case !p.window.partial:
		return s.Key(), nil
	}
	return Key{}, s
}

// single is the cost of a column that differs in every row as the key.
func (p *Profile) single(at int, c *Column) int {
	s := p.columns[at]
	switch {
	case c.Type == "number" || c.Mixed:
		return never
	case IsID(c.Property) || c.Format == "uuid":
		return costID
	case c.Format == "date":
		return costPeriod
	case c.Format == "date-time":
		return costTime
	case c.Type == "string" && s.bytes <= maxKeyText*s.values:
		return costText
	case c.Type == "integer" && (IsPeriod(c.Property) || s.high-s.low < 2*float64(p.rows)):
		return costCount
	default:
		return never
	}
}

// part is the cost of a column as part of a key.
func (p *Profile) part(at int, c *Column) int {
	s := p.columns[at]
	switch {
	case !c.Present || c.Mixed || c.Type == "number" || c.Type == "boolean" || c.Type == "object" || c.Type == "array":
		return never
	case IsID(c.Property) || c.Format == "uuid":
		return costID
	case c.Format != "" || IsPeriod(c.Property):
		return costPeriod
	case c.Type == "string" && s.bytes <= maxKeyText*s.values:
		return costText
	default:
		return never
	}
}

// searched is a column that groups are made of.
type searched struct{ at, cost, distinct int }

// groups returns the smallest groups of columns that identify the rows of the window, the best
// first, and some that have a column more, for the rows beyond it.
func (p *Profile) groups(columns []Column) [][]int {
	var all []searched
	for at := range columns {
		if cost := p.part(at, &columns[at]); cost < never {
			if n, ok := p.window.distinct(at); ok && columns[at].Distinct != 1 {
				all = append(all, searched{at, cost, n})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b searched) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(b.distinct, a.distinct))
	})
	all = all[:min(len(all), maxSearched)]
	var found [][]int
	var seen hashes
	for size := 2; size <= maxKeyColumns && size <= len(all); size++ {
		before := len(found)
		p.combine(all, nil, size, &seen, &found)
		if before > 0 {
			break
		}
	}
	return found
}

// combine adds the groups of that size, made of the columns given and some of all, that identify
// the window's rows: the first maxGroups, in the order of all.
func (p *Profile) combine(all []searched, group []searched, size int, seen *hashes, found *[][]int) {
	if size == 0 {
		columns, most := make([]int, len(group)), 1
		for i, c := range group {
			columns[i], most = c.at, min(most*c.distinct, len(p.window.rows))
		}
		slices.Sort(columns)
		if most >= len(p.window.rows) && p.window.differs(columns, seen) {
			*found = append(*found, columns)
		}
		return
	}
	count := len(*found)
	for i := range all {
		p.combine(all[i+1:], append(slices.Clone(group), all[i]), size-1, seen, found)
		if len(group) == 0 && len(*found)-count >= maxGroups {
			return
		}
	}
}

// Search verifies groups of columns as keys in a second pass over the rows. It belongs to one
// goroutine.
type Search struct {
	profile *Profile
	groups  []*keyGroup
	row     []uint64
}

// keyGroup is columns that have identified every row so far.
type keyGroup struct {
	columns []int
	seen    hashes
	limit   int
}

// Add takes a row, as Profile.Add does.
func (s *Search) Add(members []contract.Member) error {
	s.row = append(s.row[:0], s.profile.row...)
	clear(s.row)
	for i, m := range members {
		at, err := s.profile.column(i, m.Name)
		if err != nil {
			return err
		}
		if at < len(s.row) && m.Value[0] != 'n' && (!s.profile.texts || string(m.Value) != `""`) {
			s.row[at] = xxh3.Hash(m.Value) | 1
		}
	}
	s.groups = slices.DeleteFunc(s.groups, func(g *keyGroup) bool {
		hash := combined(g.columns, s.row)
		return hash == 0 || !g.seen.add(hash, g.limit)
	})
	return nil
}

// Done reports whether no group is left, so that further rows are not needed.
func (s *Search) Done() bool { return len(s.groups) == 0 }

// Key is the best group that identified every row, none if no group did.
func (s *Search) Key() Key {
	if s.Done() {
		return Key{}
	}
	g, possible := s.groups[0], 1.0
	for _, c := range g.columns {
		n, _ := s.profile.window.distinct(c)
		possible *= float64(n)
	}
	rows := float64(len(s.profile.window.rows))
	return Key{Columns: g.columns, Partial: g.seen.partial(), Chance: rows*rows/(2*possible) < 1}
}

// idWords are the words of a name of something that identifies, and periodWords of something that
// counts time or places in an order.
var (
	idWords     = wordSet("id uuid guid key code sku no nr num number ref reference identifier isbn ean iban vin plate email username slug hash ticket invoice factura folio codigo clave rut dni nif matricula")
	periodWords = wordSet("year month day hour minute week quarter period date time line seq sequence position index row season ano mes dia hora semana trimestre periodo fecha linea")
)

func wordSet(list string) map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		all[word] = true
	}
	return all
}

// IsID reports whether the name is that of something that identifies: order_id, id_cliente.
func IsID(property string) bool {
	parts := strings.Split(property, "_")
	last := len(parts) - 1
	if last > 0 && isDigits([]byte(parts[last])) {
		last--
	}
	return idWords[parts[last]] || parts[0] == "id"
}

// IsPeriod reports whether the name is that of a part of time, or of a place in an order.
func IsPeriod(property string) bool {
	for part := range strings.SplitSeq(property, "_") {
		if periodWords[part] {
			return true
		}
	}
	return false
}
