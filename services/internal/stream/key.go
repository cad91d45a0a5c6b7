package stream

import (
	"fmt"
	"strconv"
	"strings"
)

const runIDKey = "estela:run_id"

// workersKey holds the membership of a group of workers.
func workersKey(group string) string { return "estela:workers:" + group }

// Key is the stream of a dataset's shard.
func Key(dataset string, shard int) string {
	return "estela:{" + dataset + ":" + strconv.Itoa(shard) + "}"
}

// groupName names the nth cursor of an owner.
func groupName(epoch, n int64) string { return fmt.Sprintf("estela:%d.%d", epoch, n) }

// isOwnGroup reports whether name is a cursor of this pipeline; it agrees with
// the pattern in attachScript.
func isOwnGroup(name string) bool {
	rest, ok := strings.CutPrefix(name, "estela:")
	if !ok {
		return false
	}
	epoch, n, ok := strings.Cut(rest, ".")
	return ok && digits(epoch) && digits(n)
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
