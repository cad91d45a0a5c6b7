package contract

// SystemColumns are the columns that a dataset's table has besides its contract's: where a
// row came from and when it was stored.
func SystemColumns() []string {
	return []string{"_shard", "_stream_ms", "_stream_seq", "_line", "_ingested_at"}
}
