package access

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// Grant is what the credential of a request opens. The zero Grant opens nothing.
type Grant struct {
	// Subject is whose it is, for limits, the log and accounts: a key's name, or TokenPrefix and a
	// token's subject, so that no token takes a key's name. It is empty for Anyone.
	Subject string
	// Rate is its number of requests a second.
	//
	// Default: the server's.
	Rate int
	// Expires is when it ends; zero: never.
	Expires time.Time

	// read and write are the datasets of a key; "*" is all.
	read, write []string
	// inspect opens the whole warehouse and the pipeline's state.
	inspect bool
	// endpoints are those of a token, as DATASET/NAME.
	endpoints []string
	pins      Pins
}

// expired reports whether it has ended.
func (g *Grant) expired(now time.Time) bool { return !g.Expires.IsZero() && !now.Before(g.Expires) }

// TokenPrefix begins the Subject of a token's Grant; no key's name has its colon.
const TokenPrefix = "token:"

// Anyone is the Grant of every request to a server without keys and tokens: it reads and writes all.
var Anyone = &Grant{read: []string{all}, write: []string{all}}

// all is every dataset, also later ones.
const all = "*"

func among(names []string, name string) bool {
	return slices.Contains(names, all) || slices.Contains(names, name)
}

// ReadsAll reports whether it opens every endpoint of every dataset, also of later ones.
func (g *Grant) ReadsAll() bool { return slices.Contains(g.read, all) }

// Reads reports whether it opens the whole dataset for reading; a token opens none.
func (g *Grant) Reads(dataset string) bool { return among(g.read, dataset) }

// Writes reports whether it may write to the dataset; no token may.
func (g *Grant) Writes(dataset string) bool { return among(g.write, dataset) }

// Inspects reports whether it opens the whole warehouse for looking at: rows, rejects, any SQL, and the pipeline's
// state. No token does.
func (g *Grant) Inspects() bool { return g.inspect }

// Opens reports whether it opens the endpoint, DATASET/NAME, which reads these datasets.
func (g *Grant) Opens(endpoint string, reads []string) bool {
	if g.IsToken() {
		return slices.Contains(g.endpoints, endpoint)
	}
	for _, dataset := range reads {
		if !g.Reads(dataset) {
			return false
		}
	}
	return len(reads) > 0
}

// IsToken reports whether the credential is a signed token.
func (g *Grant) IsToken() bool { return len(g.endpoints) > 0 }

// Pins are the parameters with a value of the credential's own, for every endpoint that it opens.
func (g *Grant) Pins() Pins { return g.pins }

// String names the credential in a sentence to its owner.
func (g *Grant) String() string {
	if g.IsToken() {
		return "The token of " + g.Subject[len(TokenPrefix):]
	}
	return "The API key " + g.Subject
}

// Pins are values of parameters by their names, as text. A request can't give these parameters.
type Pins struct {
	values map[string]string
	// key is the same pins, the same text.
	key []byte
}

// NewPins returns pins of these values.
func NewPins(values map[string]string) Pins {
	var key []byte
	text := func(s string) { key = append(binary.AppendUvarint(key, uint64(len(s))), s...) }
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text(name)
		text(values[name])
	}
	return Pins{maps.Clone(values), key}
}

// Values returns the values by name. The caller must not change them.
func (p Pins) Values() map[string]string { return p.values }

// AppendKey appends to a key of answers what only requests with equal pins have in common. Nothing that
// follows it can be taken for a pin, nor a pin for what follows.
func (p Pins) AppendKey(b []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(p.key))), p.key...)
}
