package database

/*
#include <stdint.h>
#include <stdlib.h>

void estelaChunksBind(void *);
void estelaRowsInit(void *);
void estelaChunksNext(void *, void *);
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/cgo"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/result"
)

// parquetSettings are those of the instance that writes Parquet. Without an order to preserve, a row group
// is limited in bytes too; its one thread keeps the order all the same. There is nothing to spill: what
// COPY collects is a row group.
var parquetSettings = [][2]string{
	{"threads", "1"},
	{"preserve_insertion_order", "false"},
	{"memory_limit", "512MB"},
	{"temp_directory", ""},
	{"autoinstall_known_extensions", "false"},
	{"autoload_known_extensions", "false"},
}

// parquetOptions are COPY's. Snappy is what every reader supports. A file takes a few times the bytes of a row group,
// and the files of all read connections have to fit.
const parquetOptions = "FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 65536, ROW_GROUP_SIZE_BYTES '8MB', USE_TMP_FILE false"

// parquetRows and parquetBytes are about how much COPY takes at once: less than a chunk has, because a row group's
// limit in bytes is checked only in between.
const (
	parquetRows  = 256
	parquetBytes = 2 << 20
)

// chunksFunction is a table function that returns the rows given to the ParquetWriter whose handle is its
// argument.
const chunksFunction = "chunks"

// ParquetExporter writes Parquet by DuckDB's COPY in an instance of its own, for the one that has the
// database attached may write no files. It is opened at the first use, and given no statement but COPY.
type ParquetExporter struct {
	mu sync.Mutex
	db mapping.Database
}

// Close closes the instance. The writers must be closed.
func (e *ParquetExporter) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	mapping.Close(&e.db)
}

// connect returns a connection, which the caller disconnects.
func (e *ParquetExporter) connect() (conn mapping.Connection, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.db.Ptr == nil {
		if err := e.open(); err != nil {
			mapping.Close(&e.db)
			return conn, fmt.Errorf("start DuckDB for Parquet: %w", err)
		}
	}
	if mapping.Connect(e.db, &conn) == mapping.StateError {
		return conn, errors.New("connect to DuckDB for Parquet")
	}
	return conn, nil
}

func (e *ParquetExporter) open() error {
	var config mapping.Config
	mapping.CreateConfig(&config)
	defer mapping.DestroyConfig(&config)
	for _, s := range parquetSettings {
		if mapping.SetConfig(config, s[0], s[1]) == mapping.StateError {
			return errors.New("it has no setting " + s[0] + " = " + s[1])
		}
	}
	var message string
	if mapping.OpenExt("", &e.db, config, &message) == mapping.StateError {
		return errors.New(message)
	}
	var conn mapping.Connection
	mapping.Connect(e.db, &conn)
	defer mapping.Disconnect(&conn)
	return registerFunction(conn, chunksFunction, C.estelaChunksBind, C.estelaRowsInit, C.estelaChunksNext)
}

// forget closes an instance that an error has made useless, for those who come after.
func (e *ParquetExporter) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	mapping.Close(&e.db)
}

// ParquetWriter is a Parquet file that is being written. It is a pipe, so that it has no name and whoever
// takes its bytes can limit them.
type ParquetWriter struct {
	exporter *ParquetExporter
	columns  []result.Field
	metadata map[string]string
	pipe     *os.File // its end for COPY

	offered chan offer
	taken   chan struct{} // receives when COPY needs an offer no longer
	current offer         // what is left of the last one
	quit    chan struct{} // closed by Close
	once    sync.Once
	ended   chan struct{} // closed after err is set
	err     error
}

// offer is rows from `from` to `to` of vectors, nil: none.
type offer struct {
	vectors  []result.Vector
	from, to int
}

// Writer begins a Parquet file with these columns and key-value metadata, which is written to w, from
// another goroutine, until Finish or Close returns. The caller closes it.
func (e *ParquetExporter) Writer(w io.Writer, columns []result.Field, metadata map[string]string) (*ParquetWriter, error) {
	out, pipe, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("write Parquet: %w", err)
	}
	p := &ParquetWriter{
		exporter: e, columns: columns, metadata: metadata, pipe: pipe,
		offered: make(chan offer), taken: make(chan struct{}), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(w, out)
		read <- errors.Join(err, out.Close()) // COPY's next write fails
	}()
	go func() {
		defer close(p.ended)
		p.err = errors.Join(p.run(), pipe.Close())
		if err := <-read; err != nil {
			p.err = err // the cause of COPY's
		}
	}()
	return p, nil
}

// run runs COPY.
func (p *ParquetWriter) run() error {
	conn, err := p.exporter.connect()
	if err != nil {
		return err
	}
	defer mapping.Disconnect(&conn)
	self := cgo.NewHandle(p)
	defer self.Delete()
	var res mapping.Result
	defer mapping.DestroyResult(&res)
	statement := fmt.Sprintf("COPY (FROM %s(%d)) TO '/dev/fd/%d' (%s%s)", chunksFunction, self, p.pipe.Fd(), parquetOptions, p.metadataOption())
	if mapping.Query(conn, statement, &res) == mapping.StateSuccess {
		return nil
	}
	err = errorOf(mapping.ResultError(&res), mapping.ResultErrorType(&res))
	if isFatal(err) {
		p.exporter.forget()
	}
	return fmt.Errorf("write Parquet: %w", err)
}

func (p *ParquetWriter) metadataOption() string {
	if len(p.metadata) == 0 {
		return ""
	}
	pairs := make([]string, 0, len(p.metadata))
	for name, value := range p.metadata {
		pairs = append(pairs, QuoteName(name)+": "+QuoteText(value))
	}
	slices.Sort(pairs)
	return ", KV_METADATA {" + strings.Join(pairs, ", ") + "}"
}

// Write implements result.Sink.
func (p *ParquetWriter) Write(vectors []result.Vector, n int) error {
	select {
	case p.offered <- offer{vectors, 0, n}:
	case <-p.ended:
		return p.err
	}
	select {
	case <-p.taken:
		return nil
	case <-p.ended:
		return p.err
	}
}

// Finish implements result.Sink.
func (p *ParquetWriter) Finish() error {
	close(p.offered)
	<-p.ended
	return p.err
}

// Close implements result.Sink.
func (p *ParquetWriter) Close() error {
	p.once.Do(func() { close(p.quit) })
	<-p.ended
	return nil
}

var errAbandoned = errors.New("the file is abandoned")

// next fills a chunk with the next rows, which point to those offered until it is called again: COPY has
// copied them then. None are left if the chunk stays empty.
func (p *ParquetWriter) next(to mapping.DataChunk) error {
	o := &p.current
	if o.vectors != nil && o.from == o.to {
		*o = offer{}
		p.taken <- struct{}{} // Write waits for it
	}
	if o.vectors == nil {
		select {
		case *o = <-p.offered: // nothing when Finish has closed it
		case <-p.quit:
			return errAbandoned
		}
	}
	n := min(parquetRows, o.to-o.from)
	for n > 1 && p.size(n) > parquetBytes {
		n /= 2
	}
	for i := range o.vectors {
		fillColumn(mapping.DataChunkGetVector(to, mapping.IdxT(i)), &p.columns[i].Type, &o.vectors[i], o.from, n)
	}
	o.from += n
	mapping.DataChunkSetSize(to, mapping.IdxT(n))
	return nil
}

// size is about how many bytes the next n rows have.
func (p *ParquetWriter) size(n int) (size int) {
	for i := range p.current.vectors {
		size += p.current.vectors[i].Size(p.current.from, n)
	}
	return size
}

// estelaChunksBind gives the columns and keeps the handle for estelaChunksNext.
//
//export estelaChunksBind
func estelaChunksBind(at unsafe.Pointer) {
	info := mapping.BindInfo{Ptr: at}
	value := mapping.BindGetParameter(info, 0)
	defer mapping.DestroyValue(&value)
	handle := mapping.GetInt64(value)
	for _, c := range writerOf(handle).columns {
		t := parquetType(&c.Type)
		mapping.BindAddResultColumn(info, c.Name, t)
		mapping.DestroyLogicalType(&t)
	}
	keepNumber(info, handle)
}

// estelaChunksNext fills a chunk.
//
//export estelaChunksNext
func estelaChunksNext(at, out unsafe.Pointer) {
	info := mapping.FunctionInfo{Ptr: at}
	if err := writerOf(keptNumber(info)).next(mapping.DataChunk{Ptr: out}); err != nil {
		mapping.FunctionSetError(info, err.Error())
	}
}

// writerOf returns the writer of a handle, which only run passes to chunksFunction.
func writerOf(handle int64) *ParquetWriter {
	return cgo.Handle(handle).Value().(*ParquetWriter) //nolint:forcetypeassert // run's
}
