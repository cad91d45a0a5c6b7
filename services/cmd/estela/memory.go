package main

import (
	"errors"
	"regexp"
	"strconv"

	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/memory"
)

// parseSize returns a size in bytes, 0 if it is invalid.
func parseSize(size string) int64 {
	var n byteSize
	if n.UnmarshalText([]byte(size)) != nil {
		return 0
	}
	return int64(n)
}

// watchMemory returns the limit of the process' resident memory.
func (g *Globals) watchMemory() (*memory.Watch, error) {
	if g.ProcessMemory != "" {
		limit := parseSize(g.ProcessMemory)
		if limit == 0 {
			return nil, fault.Usagef("--process-memory %q: give a size such as 2GB", g.ProcessMemory)
		}
		return &memory.Watch{Limit: limit}, nil
	}
	const overhead = 1e9 // of the program itself, and of allocations that DuckDB does not count
	limit := 2*parseSize(g.Memory) + overhead
	if available := memory.Available(); available > 0 {
		limit = min(limit, available/5*4)
	}
	return &memory.Watch{Limit: limit}, nil
}

// byteSize is a number of bytes, written as DuckDB does: 512MB, 4GB, 1.5GiB.
type byteSize int64

var (
	sizeText  = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([KMGT]i?B)$`)
	sizeUnits = map[string]float64{
		"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	}
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *byteSize) UnmarshalText(text []byte) error {
	parts := sizeText.FindStringSubmatch(string(text))
	if parts == nil {
		return errors.New("give a size such as 512MB or 4GB")
	}
	n, err := strconv.ParseFloat(parts[1], 64)
	if err != nil || n*sizeUnits[parts[2]] < 1 || n*sizeUnits[parts[2]] > 1<<60 {
		return errors.New("give a size such as 512MB or 4GB")
	}
	*b = byteSize(n * sizeUnits[parts[2]])
	return nil
}
