package scaffold

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
)

const (
	// sampleRows and sampleBytes bound a sample; a single row may have more bytes.
	sampleRows, sampleBytes = 1000, 1 << 20
)

// sample keeps some of the rows, spread over all: those with the lowest hashes of their numbers, so that
// the same file gives the same sample.
type sample struct {
	rows  rows
	bytes int
	count uint64
}

// sampled is a row of the sample: its hash, its number among all, its file and line, its document.
type sampled struct {
	hash, number uint64
	file         int
	line         int64
	doc          []byte
}

// add takes the next row.
func (s *sample) add(doc []byte, file int, line int64) {
	if s.count++; len(doc) > contract.MaxEvent {
		return
	}
	hash := mix(s.count)
	full := len(s.rows.heap) == sampleRows || s.bytes+len(doc) > sampleBytes
	if full && len(s.rows.heap) > 0 && hash >= s.rows.heap[0].hash {
		return
	}
	s.bytes += len(doc)
	heap.Push(&s.rows, sampled{hash, s.count, file, line, bytes.Clone(doc)})
	for len(s.rows.heap) > 1 && (len(s.rows.heap) > sampleRows || s.bytes > sampleBytes) {
		s.bytes -= len(s.rows.heap[0].doc)
		heap.Pop(&s.rows)
	}
}

// mix is the finalizer of SplitMix64, https://prng.di.unimi.it/splitmix64.c.
func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// inOrder returns the rows in the order of the files.
func (s *sample) inOrder() []sampled {
	rows := slices.Clone(s.rows.heap)
	slices.SortFunc(rows, func(a, b sampled) int { return cmp.Compare(a.number, b.number) })
	return rows
}

// sampled returns the rows of the sample: those of one file only, where DuckDB copies them and where
// equal rows are numbered, for a row that is in two files is numbered in each as if it were alone.
func (s *Survey) sampled() []sampled {
	rows := s.sample.inOrder()
	one := s.madeKey() || s.Format.ReadByDuckDB()
	first := rows[0].file
	return slices.DeleteFunc(rows, func(r sampled) bool { return one && r.file != first })
}

// drop removes a row from the sample.
func (s *sample) drop(file int, line int64) {
	s.rows.heap = slices.DeleteFunc(s.rows.heap, func(r sampled) bool { return r.file == file && r.line == line })
}

// SampleRows is how many of the rows the sample has.
func (s *Survey) SampleRows() int { return len(s.sampled()) }

// rows is a heap, the highest hash first.
type rows struct{ heap []sampled }

func (r *rows) Len() int           { return len(r.heap) }
func (r *rows) Less(i, j int) bool { return r.heap[i].hash > r.heap[j].hash }
func (r *rows) Swap(i, j int)      { r.heap[i], r.heap[j] = r.heap[j], r.heap[i] }

// Push implements heap.Interface.
func (r *rows) Push(x any) {
	if row, ok := x.(sampled); ok {
		r.heap = append(r.heap, row)
	}
}

// Pop implements heap.Interface.
func (r *rows) Pop() any {
	last := r.heap[len(r.heap)-1]
	r.heap = r.heap[:len(r.heap)-1]
	return last
}

// writeSample writes the sample into the folder, in the format of the files, as the mapping reads it.
func (s *Survey) writeSample(ctx context.Context, dir string) (name string, err error) {
	var text []byte
	switch {
	case s.Format.ReadByDuckDB():
		return "sample.parquet", s.copyParquet(ctx, filepath.Join(dir, "sample.parquet"))
	case s.Format.IsTable():
		name, text = "sample.csv", s.csv()
	default:
		name = "sample.ndjson"
		text, err = s.ndjson()
	}
	if err != nil {
		return "", fmt.Errorf("write sample: %w", err)
	}
	return name, writeFile(filepath.Join(dir, name), text)
}

func (s *Survey) copyParquet(ctx context.Context, to string) error {
	var rows []int64
	all := s.sampled()
	for _, r := range all {
		rows = append(rows, r.line)
	}
	f, err := s.open(ctx, s.config(), s.Files[all[0].file])
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return f.CopyParquet(ctx, to, rows)
}

func (s *Survey) ndjson() ([]byte, error) {
	var b bytes.Buffer
	for _, r := range s.sampled() {
		if err := json.Compact(&b, r.doc); err != nil {
			return nil, err
		}
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

// csv writes the rows with commas between the fields, an absent one as nothing.
func (s *Survey) csv() []byte {
	var b bytes.Buffer
	index := map[string]int{}
	for i, c := range s.Columns {
		index[c.Name] = i
		b.WriteString(strings.Repeat(",", min(i, 1)) + quoteField(c.Name))
	}
	b.WriteByte('\n')
	var split contract.Splitter
	for _, r := range s.sampled() {
		fields := make([]string, len(s.Columns))
		members, _ := split.Split(r.doc) // they were split before
		for _, m := range members {
			var text string
			if json.Unmarshal(m.Value, &text) == nil && m.Value[0] == '"' {
				fields[index[string(m.Name)]] = quoteField(text)
			}
		}
		b.WriteString(strings.Join(fields, ",") + "\n")
	}
	return b.Bytes()
}

// quoteField writes a field of CSV, in quotes if it could be read as something else without.
func quoteField(text string) string {
	if text != "" && !strings.ContainsAny(text, "\",;\t|\r\n") && !strings.HasPrefix(text, "sep=") && strings.TrimSpace(text) == text {
		return text
	}
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}

// writeFile writes a file of source code, which others may read.
func writeFile(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // as above
		return fmt.Errorf("create folder: %w", err)
	}
	if err := os.WriteFile(name, text, 0o644); err != nil { //nolint:gosec // as above
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}
