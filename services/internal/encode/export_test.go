package encode

// AppendJSON writes what DuckDB takes for JSON as JSON.
func AppendJSON(b, text []byte) []byte { return appendDuckDBJSON(b, text) }
