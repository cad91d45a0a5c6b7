package database

import (
	"cmp"
	"strconv"
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
	return compareVersions(version, MotherDuckMin) >= 0 && compareVersions(version, MotherDuckMax) <= 0
}

// compareVersions orders versions such as "1.5.6" by their three numbers; what
// is no number counts as 0.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range 3 {
		if c := cmp.Compare(numberAt(as, i), numberAt(bs, i)); c != 0 {
			return c
		}
	}
	return 0
}

func numberAt(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return 0
	}
	return n
}
