package stream

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
)

// workersKey holds the membership of a group of workers.
func workersKey(group string) string { return "estela:workers:" + group }

// Key is the stream of a dataset's shard.
func Key(k *contract.Contract, shard int) string { return addressOf(k, shard).stream }

// Group begins the names of the dataset's consumer groups.
func Group(k *contract.Contract) string { return addressOf(k, 0).groups }

// address is where the stream of a shard is, and what of Estela's is in it and beside it.
type address struct {
	dataset string
	// stream is its key; beside begins the keys of Estela's own, which share its slot.
	stream, beside string
	// groups begins the names of Estela's groups: one a dataset, for several may read a foreign
	// stream.
	groups string
	// foreign: the stream is somebody else's.
	foreign bool
	form    form
}

func addressOf(k *contract.Contract, shard int) address {
	if k.Stream == nil {
		key := "estela:{" + k.Name + ":" + strconv.Itoa(shard) + "}"
		return address{dataset: k.Name, stream: key, beside: key, groups: "estela:"}
	}
	return address{
		dataset: k.Name, stream: k.Stream.Key, beside: "estela:{" + hashTag(k.Stream.Key) + "}:" + k.Name,
		groups: "estela:" + k.Name + ":", foreign: true, form: formOf(k.Stream),
	}
}

func (a address) lease() string     { return a.beside + ":lease" }
func (a address) trimmedTo() string { return a.beside + ":trimmed_to" }
func (a address) warehouse() string { return a.beside + ":warehouse" }
func (a address) stored() string    { return a.beside + ":stored" }

// group names the nth cursor of an owner.
func (a address) group(epoch, n int64) string { return fmt.Sprintf("%s%d.%d", a.groups, epoch, n) }

// isOwnGroup reports whether name is a cursor of this dataset; it agrees with the pattern in
// attachScript.
func (a address) isOwnGroup(name string) bool {
	rest, ok := strings.CutPrefix(name, a.groups)
	if !ok {
		return false
	}
	epoch, n, ok := strings.Cut(rest, ".")
	return ok && digits(epoch) && digits(n)
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
