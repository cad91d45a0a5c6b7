package main

import (
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/memory"
)

// bytesOf is a size in bytes, 0 if it is none.
func bytesOf(size string) int64 {
	var n byteSize
	if n.UnmarshalText([]byte(size)) != nil {
		return 0
	}
	return int64(n)
}

// watchMemory bounds the process' memory as the flags say.
func (g *Globals) watchMemory() (*memory.Watch, error) {
	if g.ProcessMemory != "" {
		limit := bytesOf(g.ProcessMemory)
		if limit == 0 {
			return nil, fault.Usagef("--process-memory %q: give a size such as 2GB", g.ProcessMemory)
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
