package encode_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/result"
)

// largest is the length of the longest write to w.
type largest struct {
	w     io.Writer
	bytes int
}

func (l *largest) Write(p []byte) (int, error) {
	l.bytes = max(l.bytes, len(p))
	return l.w.Write(p)
}

// Rows that share a large text, as a constant's do, are not all in memory at once, and those of a batch are where its
// lists say.
func TestArrowOfLargeValues(t *testing.T) {
	t.Parallel()
	const rows = 100
	text := bytes.Repeat([]byte("x"), 1<<20)
	records, lists := make([]column.Record, rows), make([]result.ListEntry, rows)
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(&text[0])
	for i := range rows {
		records[i].Point(text[:len(text)-i])
		lists[i] = result.ListEntry{Offset: uint64(i), Length: uint64(i % 2)}
	}
	texts := result.Vector{Kind: column.Varchar, Data: unsafe.Pointer(&records[0])}
	chunk := result.Chunk{Rows: rows, Vectors: []result.Vector{texts, {Kind: column.List, Data: unsafe.Pointer(&lists[0]), Children: []result.Vector{texts}}}}
	columns := []encode.Column{
		{Name: "t", Type: result.Type{Kind: column.Varchar}},
		{Name: "l", Type: result.Type{Kind: column.List, Fields: []result.Field{{Type: result.Type{Kind: column.Varchar}}}}},
	}
	in, out := io.Pipe()
	w := &largest{w: out}
	go func() {
		enc, err := encode.Arrow(w, columns)
		if err == nil {
			err = enc.Rows(&chunk, rows)
		}
		if err == nil {
			err = enc.End(encode.Meta{})
		}
		out.CloseWithError(err)
	}()
	r, err := ipc.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	row := 0
	for r.Next() {
		texts, lists := r.RecordBatch().Column(0).(*array.String), r.RecordBatch().Column(1).(*array.List)
		for i := range texts.Len() {
			begin, end := lists.ValueOffsets(i)
			if len(texts.Value(i)) != len(text)-row || int(end-begin) != row%2 || row%2 == 1 && lists.ListValues().(*array.String).Value(int(begin)) != texts.Value(i) {
				t.Fatalf("row %d: %d bytes, list %d to %d", row, len(texts.Value(i)), begin, end)
			}
			row++
		}
	}
	if r.Err() != nil || row != rows || w.bytes > 32<<20 {
		t.Errorf("%v: %d rows, and %d bytes at once", r.Err(), row, w.bytes)
	}
}
