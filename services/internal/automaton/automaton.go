// Package automaton matches regular expressions faster than package regexp, as
// deterministic automata over ASCII.
package automaton

import (
	"encoding/binary"
	"regexp"
	"regexp/syntax"
	"slices"
)

// Beyond these sizes of a pattern's automaton and program, regexp answers alone.
const (
	maxStates       = 512
	maxInstructions = 1000
)

const asciiSize = 128

// Pattern matches an RE2 expression anywhere in a text, as JSON Schema has it.
//
// At load the expression becomes a deterministic automaton over ASCII, which
// takes one step a byte where package regexp takes a dozen. Texts that aren't
// ASCII, and expressions that need more states or match word or line
// boundaries, go through regexp.
type Pattern struct {
	re *regexp.Regexp
	// class puts the ASCII bytes that the expression never distinguishes together.
	class [256]uint8
	// next is the row of the state after a byte of the class; a state is the
	// offset of its row. nil: no automaton.
	next  []uint16
	width int
	final []bool // by row: a match if the text ends here
	// Most patterns begin with places at which the byte before says nothing about
	// the next: prefix of them, which bring a text to the state after, unless bit
	// i of admits is 0 for byte i. These steps don't wait for each other.
	admits [256]uint64
	prefix int
	after  uint16
}

// Compile compiles an expression of RE2, or gives the error of package regexp.
func Compile(source string) (*Pattern, error) {
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, err
	}
	m := &Pattern{re: re}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	if a, ok := determinize(prog); ok {
		m.pack(a)
	}
	return m, nil
}

// String is the expression.
func (m *Pattern) String() string { return m.re.String() }

// Match reports whether the text has a match anywhere. ascii says that no byte of it is above 0x7f.
func (m *Pattern) Match(s []byte, ascii bool) bool {
	if m.next == nil || !ascii {
		return m.re.Match(s)
	}
	state, next := uint16(0), m.next
	if len(s) >= m.prefix {
		ok := uint64(1)
		for i, b := range s[:m.prefix] {
			ok &= m.admits[b] >> (i & 63)
		}
		if ok == 0 {
			return false
		}
		state, s = m.after, s[m.prefix:]
	}
	for _, b := range s {
		at := int(state) + int(m.class[b])
		if at >= len(next) {
			return false // never: it spares a check of the bounds
		}
		state = next[at]
	}
	return m.final[int(state)/m.width]
}

// pack merges the bytes whose columns are equal.
func (m *Pattern) pack(a *automaton) {
	var columns [][]uint16
	for b := range asciiSize {
		column := make([]uint16, len(a.rows))
		for s := range a.rows {
			column[s] = a.rows[s][b]
		}
		c := slices.IndexFunc(columns, func(other []uint16) bool { return slices.Equal(column, other) })
		if c < 0 {
			c, columns = len(columns), append(columns, column)
		}
		m.class[b] = uint8(c)
	}
	m.width, m.final = len(columns), a.final
	for s := range a.rows {
		for _, column := range columns {
			m.next = append(m.next, column[s]*uint16(m.width))
		}
	}
	m.straighten(a)
}

// straighten finds the prefix.
func (m *Pattern) straighten(a *automaton) {
	state := 0
	for m.prefix < 64 {
		to, alone := a.onlyWay(state)
		if !alone || to == state {
			break
		}
		for b := range asciiSize {
			if int(a.rows[state][b]) == to {
				m.admits[b] |= 1 << m.prefix
			}
		}
		m.prefix++
		state = to
	}
	m.after = uint16(state * m.width)
}

// onlyWay is the one state that a byte can lead to from here, other than one
// from which there is no match; false if there are more, or none.
func (a *automaton) onlyWay(from int) (to int, alone bool) {
	to = -1
	for _, next := range a.rows[from] {
		if n := int(next); n != to && !a.dead(n) {
			if to >= 0 {
				return 0, false
			}
			to = n
		}
	}
	return to, to >= 0
}

// dead reports whether a state has no way on and is no match.
func (a *automaton) dead(state int) bool {
	for _, next := range a.rows[state] {
		if int(next) != state {
			return false
		}
	}
	return !a.final[state]
}

// automaton is the subset construction of an expression's program. A state is
// the set of instructions that wait for the next byte or for the end; state 0
// is the beginning of the text and nothing leads back to it.
type automaton struct {
	prog  *syntax.Prog
	sets  [][]uint32
	index map[string]uint16
	rows  [][asciiSize]uint16
	final []bool
}

func determinize(prog *syntax.Prog) (*automaton, bool) {
	if len(prog.Inst) > maxInstructions {
		return nil, false
	}
	for i := range prog.Inst {
		inst := &prog.Inst[i]
		if inst.Op == syntax.InstEmptyWidth && syntax.EmptyOp(inst.Arg)&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0 {
			return nil, false
		}
	}
	a := &automaton{prog: prog, index: map[string]uint16{}}
	set, match := a.closure([]uint32{uint32(prog.Start)}, syntax.EmptyBeginText)
	a.add(set, match, syntax.EmptyBeginText)
	for s := 0; s != len(a.sets); s++ { // it grows on the way
		for b := range asciiSize {
			a.rows[s][b] = a.step(s, rune(b))
		}
		if len(a.sets) > maxStates {
			return nil, false
		}
	}
	return a, true
}

// step is where a byte leads from a state. The expression may begin anew after
// every byte, since a match may begin anywhere.
func (a *automaton) step(state int, r rune) uint16 {
	if a.final[state] && a.sets[state] == nil {
		return uint16(state)
	}
	from := []uint32{uint32(a.prog.Start)}
	for _, pc := range a.sets[state] {
		if inst := &a.prog.Inst[pc]; inst.Op != syntax.InstEmptyWidth && inst.MatchRune(r) {
			from = append(from, inst.Out)
		}
	}
	set, match := a.closure(from, 0)
	key := make([]byte, 0, 4*len(set))
	for _, pc := range set {
		key = binary.LittleEndian.AppendUint32(key, pc)
	}
	if match {
		key = []byte("match")
	}
	n, ok := a.index[string(key)]
	if !ok {
		n = a.add(set, match, 0)
		a.index[string(key)] = n
	}
	return n
}

// add makes a state. One that stands for a match has no set and stays final.
func (a *automaton) add(set []uint32, match bool, holds syntax.EmptyOp) uint16 {
	if match {
		set = nil
	} else {
		_, match = a.closure(set, syntax.EmptyEndText|holds)
	}
	a.sets = append(a.sets, set)
	a.rows = append(a.rows, [asciiSize]uint16{})
	a.final = append(a.final, match)
	return uint16(len(a.sets) - 1)
}

// closure follows every instruction that takes no byte. What waits for the end
// of the text stays in the set.
func (a *automaton) closure(from []uint32, holds syntax.EmptyOp) (set []uint32, match bool) {
	seen := make([]bool, len(a.prog.Inst))
	from = slices.Clone(from)
	for len(from) > 0 {
		pc := from[len(from)-1]
		from = from[:len(from)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		inst := &a.prog.Inst[pc]
		switch inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			from = append(from, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			from = append(from, inst.Out)
		case syntax.InstEmptyWidth:
			switch syntax.EmptyOp(inst.Arg) &^ holds {
			case 0:
				from = append(from, inst.Out)
			case syntax.EmptyEndText:
				set = append(set, pc)
			default: // can't hold here
			}
		case syntax.InstMatch:
			match = true
		case syntax.InstFail:
		default:
			set = append(set, pc)
		}
	}
	slices.Sort(set)
	return set, match
}
