package database

import (
	"fmt"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// MotherDuckMin and MotherDuckMax bound the DuckDB versions whose clients
// MotherDuck takes, both inclusive.
const (
	MotherDuckMin = "1.4.0"
	MotherDuckMax = "1.5.6"
)

// Version is the version of the linked DuckDB, for example "1.5.6".
func Version() string { return strings.TrimPrefix(mapping.LibraryVersion(), "v") }

// MotherDuckTakes reports whether MotherDuck takes a client of that DuckDB
// version.
func MotherDuckTakes(version string) bool {
	v := numbers(version)
	return slices.Compare(v, numbers(MotherDuckMin)) >= 0 && slices.Compare(v, numbers(MotherDuckMax)) <= 0
}

// numbers are the three of a version such as "1.5.6"; what is no number counts as 0.
func numbers(version string) []int {
	n := make([]int, 3)
	_, _ = fmt.Sscanf(version, "%d.%d.%d", &n[0], &n[1], &n[2])
	return n
}
