package main

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/estela-dev/estela/services/internal/memory"
)

// sizeUnits are DuckDB's, by their letter and whether they are of 1,024.
var sizeUnits = map[string]float64{"K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}

var sizeParts = regexp.MustCompile(`^([0-9.]+) ?([KMGT]i?)B$`)

// bytesOf is a size in bytes, 0 if it is none.
func bytesOf(size string) int64 {
	parts := sizeParts.FindStringSubmatch(size)
	if parts == nil {
		return 0
	}
	n, err := strconv.ParseFloat(parts[1], 64)
	if err != nil {
		return 0
	}
	return int64(n * sizeUnits[parts[2]])
}

// watchMemory bounds the process' memory as the flags say.
func (g *Globals) watchMemory() (*memory.Watch, error) {
	if g.ProcessMemory != "" {
		limit := bytesOf(g.ProcessMemory)
		if limit == 0 {
			return nil, usageError{fmt.Errorf("--process-memory %q: give a size such as 2GB", g.ProcessMemory)}
		}
		return &memory.Watch{Limit: limit}, nil
	}
	const room = 1e9 // for the program itself, and for what DuckDB does not count
	limit := 2*bytesOf(g.Memory) + room
	if available := memory.Available(); available > 0 {
		limit = min(limit, available/5*4)
	}
	return &memory.Watch{Limit: limit}, nil
}
