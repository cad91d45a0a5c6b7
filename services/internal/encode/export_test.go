package encode

// AppendJSON appends text of DuckDB's JSON dialect as strict JSON.
func AppendJSON(b, text []byte) []byte { return appendDuckDBJSON(b, text) }
