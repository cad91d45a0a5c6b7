package chart_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/estela-dev/estela/services/internal/chart"
	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/result"
)

// table are the columns of an answer: []float64 with NaN for NULL, []string, or []time.Time.
type table []named

type named struct {
	name   string
	values any
}

// day and instants tell how times lie in memory.
type day time.Time

// column is a column in DuckDB's memory layout.
func (n named) column() (encode.Column, result.Vector, int) {
	var v result.Vector
	rows := 0
	switch values := n.values.(type) {
	case []float64:
		v.Kind, rows = column.Double, len(values)
		v.Data = unsafe.Pointer(unsafe.SliceData(values))
		valid := make([]uint64, rows/64+1)
		for i, value := range values {
			if !math.IsNaN(value) {
				valid[i/64] |= 1 << (i % 64)
			}
		}
		v.Valid = &valid[0]
	case []int64:
		v.Kind, v.Data, rows = column.BigInt, unsafe.Pointer(unsafe.SliceData(values)), len(values)
	case []string:
		records := make([]column.Record, len(values))
		for i, text := range values {
			records[i].Length = uint32(len(text))
			if len(text) <= column.Inline {
				copy(unsafe.Slice(&records[i].Prefix[0], column.Inline), text)
			} else {
				records[i].At = uint64(uintptr(unsafe.Pointer(unsafe.StringData(text))))
			}
		}
		v.Kind, v.Data, rows = column.Varchar, unsafe.Pointer(unsafe.SliceData(records)), len(values)
	case []time.Time:
		micros := make([]int64, len(values))
		for i, at := range values {
			micros[i] = at.UnixMicro()
		}
		v.Kind, v.Data, rows = column.TimestampTZ, unsafe.Pointer(unsafe.SliceData(micros)), len(values)
	case []day:
		days := make([]int32, len(values))
		for i, at := range values {
			days[i] = int32(time.Time(at).Unix() / (24 * 60 * 60))
		}
		v.Kind, v.Data, rows = column.Date, unsafe.Pointer(unsafe.SliceData(days)), len(values)
	}
	return encode.Column{Name: n.name, Type: result.Type{Kind: v.Kind}}, v, rows
}

// write draws the table.
func (t table) write(tb testing.TB, spec chart.Spec, write func(*chart.Picture, io.Writer) error, w io.Writer) {
	tb.Helper()
	chunk := result.Chunk{}
	var columns []encode.Column
	for _, n := range t {
		c, v, rows := n.column()
		columns, chunk.Vectors, chunk.Rows = append(columns, c), append(chunk.Vectors, v), rows
	}
	enc := chart.New(w, spec, columns, write)
	if err := enc.Rows(&chunk, chunk.Rows); err != nil {
		tb.Fatal(err)
	}
	if err := enc.End(encode.Meta{AsOf: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), Rows: chunk.Rows}); err != nil {
		tb.Fatal(err)
	}
	runtime.KeepAlive(t) // its strings
}

func (t table) svg(tb testing.TB, spec chart.Spec) string {
	var b bytes.Buffer
	t.write(tb, spec, (*chart.Picture).SVG, &b)
	return b.String()
}

func (t table) picture(tb testing.TB, spec chart.Spec) (p chart.Picture) {
	var b bytes.Buffer
	t.write(tb, spec, (*chart.Picture).JSON, &b)
	if err := json.Unmarshal(b.Bytes(), &p); err != nil {
		tb.Fatal(err)
	}
	return p
}

func marks(p chart.Picture) (all []chart.Mark) {
	for _, s := range p.Series {
		for _, run := range s.Runs {
			all = append(all, run...)
		}
	}
	return all
}
