package plan

// The tools that checks run and no module requires, each pinned here and
// nowhere else. `go run` builds them once and keeps them in Go's build cache.
const (
	golangciLint = "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0"
)
