package database

import (
	"fmt"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// MotherDuckMin and MotherDuckMax are the range of DuckDB versions that MotherDuck supports, inclusive.
const (
	MotherDuckMin = "1.4.0"
	MotherDuckMax = "1.5.6"
)

// Version returns the version of the linked DuckDB, for example "1.5.6".
func Version() string { return strings.TrimPrefix(mapping.LibraryVersion(), "v") }

// MotherDuckTakes reports whether MotherDuck supports the DuckDB version.
func MotherDuckTakes(version string) bool {
	v := numbers(version)
	return slices.Compare(v, numbers(MotherDuckMin)) >= 0 && slices.Compare(v, numbers(MotherDuckMax)) <= 0
}

// numbers parses a version such as "1.5.6"; missing numbers are 0.
func numbers(version string) []int {
	n := make([]int, 3)
	_, _ = fmt.Sscanf(version, "%d.%d.%d", &n[0], &n[1], &n[2])
	return n
}
