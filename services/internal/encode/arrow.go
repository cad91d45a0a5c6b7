package encode

import (
	"encoding/binary"
	"io"
	"unsafe"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/result"
)

// arrowBytes is about how much is in a batch: it is in memory, also where many rows share a text, and Arrow's offsets have
// 31 bits.
const arrowBytes = 16 << 20

// arrowEncoder writes an Arrow IPC stream: a message with the schema, then one for each chunk, or more.
type arrowEncoder struct {
	plainer
	w       io.Writer
	columns []arrowColumn
	message *flatbuffers.Builder
}

// Arrow returns an encoder of an Arrow IPC stream.
func Arrow(w io.Writer, columns []Column) (Encoder, error) {
	fields := plainColumns(columns)
	e := &arrowEncoder{plainer{columns: columns}, w, make([]arrowColumn, len(fields)), flatbuffers.NewBuilder(0)}
	for i := range fields {
		e.columns[i] = newArrowColumn(&fields[i].Type)
	}
	_, err := w.Write(arrowSchema(fields))
	return e, err
}

// Rows implements Encoder. A number with too many digits is a *PrecisionError.
func (e *arrowEncoder) Rows(chunk *result.Chunk, n int) error {
	vectors, err := e.convert(chunk, n)
	if err != nil {
		return err
	}
	defer e.release()
	return e.rows(vectors, 0, n)
}

// rows writes n rows.
func (e *arrowEncoder) rows(vectors []result.Vector, from, n int) error {
	size := 0
	for i := range vectors {
		size += vectors[i].Size(from, n)
	}
	if half := n / 2; half > 0 && size > arrowBytes {
		if err := e.rows(vectors, from, half); err != nil {
			return err
		}
		return e.rows(vectors, from+half, n-half)
	}
	var batch arrowBatch
	for i := range e.columns {
		e.columns[i].reset()
		e.columns[i].append(&vectors[i], from, n)
		e.columns[i].describe(&batch)
	}
	return batch.writeTo(e.w, e.message, n)
}

// End implements Encoder.
func (e *arrowEncoder) End(Meta) error {
	_, err := e.w.Write([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	return err
}

// arrowColumn collects values in Arrow's layout.
type arrowColumn struct {
	t        *result.Type
	length   int
	nulls    []int    // rows that are NULL
	offsets  []uint32 // where the values of texts and lists end
	data     []byte   // of booleans a byte each
	children []arrowColumn
}

func newArrowColumn(t *result.Type) arrowColumn {
	c := arrowColumn{t: t, children: make([]arrowColumn, len(t.Fields))}
	for i := range t.Fields {
		c.children[i] = newArrowColumn(&t.Fields[i].Type)
	}
	return c
}

func (c *arrowColumn) reset() {
	c.length, c.nulls, c.offsets, c.data = 0, c.nulls[:0], append(c.offsets[:0], 0), c.data[:0]
	for i := range c.children {
		c.children[i].reset()
	}
}

// append appends n values of a vector.
func (c *arrowColumn) append(v *result.Vector, from, n int) {
	if n == 0 {
		return
	}
	nulls := len(c.nulls)
	for i := range n {
		if v.Null(from + i) {
			c.nulls = append(c.nulls, c.length+i)
		}
	}
	switch c.t.Kind {
	case column.Varchar, column.Blob:
		for i := from; i < from+n; i++ {
			if !v.Null(i) {
				c.data = append(c.data, v.Bytes(i)...)
			}
			c.offsets = append(c.offsets, uint32(len(c.data)))
		}
	case column.List, column.Map:
		c.appendLists(v, from, n)
	case column.Struct:
		for i := range c.children {
			c.children[i].append(&v.Children[i], from, n)
		}
	case column.Decimal:
		for i := from; i < from+n; i++ {
			var h result.Int128
			if !v.Null(i) {
				h = v.Integer(c.t.Physical, i)
			}
			c.data = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(c.data, h.Low), uint64(h.High))
		}
	default:
		width := c.t.Kind.Width()
		c.data = append(c.data, unsafe.Slice((*byte)(v.Data), (from+n)*width)[from*width:]...)
		for _, row := range c.nulls[nulls:] { // there may be anything
			clear(c.data[row*width : (row+1)*width])
		}
	}
	c.length += n
}

// appendLists appends lists or maps, and what is inside in runs that lie together.
func (c *arrowColumn) appendLists(v *result.Vector, from, n int) {
	var run result.ListEntry
	end := c.offsets[len(c.offsets)-1]
	flush := func() {
		for i := range c.children {
			c.children[i].append(&v.Children[i], int(run.Offset), int(run.Length))
		}
	}
	for i := from; i < from+n; i++ {
		if e := result.At[result.ListEntry](*v, i); !v.Null(i) {
			if e.Offset != run.Offset+run.Length {
				flush()
				run = result.ListEntry{Offset: e.Offset}
			}
			run.Length += e.Length
			end += uint32(e.Length)
		}
		c.offsets = append(c.offsets, end)
	}
	flush()
}

// describe adds the column's nodes and buffers to a record batch.
func (c *arrowColumn) describe(b *arrowBatch) {
	b.node(c.length, len(c.nulls))
	b.buffer(c.validity())
	switch c.t.Kind {
	case column.Struct:
	case column.Boolean:
		b.buffer(packBits(c.data))
	case column.Varchar, column.Blob:
		b.buffer(bytesOf(c.offsets))
		b.buffer(c.data)
	case column.List:
		b.buffer(bytesOf(c.offsets))
	case column.Map:
		b.buffer(bytesOf(c.offsets))
		b.node(c.children[0].length, 0) // a struct of a key and a value
		b.buffer(nil)
	default:
		b.buffer(c.data)
	}
	for i := range c.children {
		c.children[i].describe(b)
	}
}

// validity returns a bit a row, 0 for NULL; nothing if no row is NULL.
func (c *arrowColumn) validity() []byte {
	if len(c.nulls) == 0 {
		return nil
	}
	bits := make([]byte, (c.length+7)/8)
	for i := range bits {
		bits[i] = 0xff
	}
	for _, row := range c.nulls {
		bits[row/8] &^= 1 << (row % 8)
	}
	return bits
}

func packBits(bools []byte) []byte {
	bits := make([]byte, (len(bools)+7)/8)
	for i, b := range bools {
		bits[i/8] |= b << (i % 8)
	}
	return bits
}

func bytesOf(numbers []uint32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(numbers))), len(numbers)*4)
}
