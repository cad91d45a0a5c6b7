package event

// Candidate is a row of a batch that may be stored already or a duplicate.
type Candidate struct {
	// Row indexes the batch.
	Row int
	// FromMS and ToMS bound the stream time (milliseconds, inclusive) in which
	// a row with the same key would make this one a duplicate.
	FromMS, ToMS uint64
}

// Found is the result of a lookup, as ascending indexes.
type Found struct {
	// Stored are rows that are in the table with the same ID, line and key.
	Stored []int
	// Duplicates are rows whose key is stored in another row, in the candidate's range.
	Duplicates []int
	// Rejects are indexes of Batch.Rejects whose ID, line and bytes are among
	// the stored rejects.
	Rejects []int
}
