package encode

import (
	"encoding/base64"
	"io"

	"github.com/estela-dev/estela/services/internal/result"
)

// OpenParquet begins a Parquet file with these columns and metadata, which is written to w.
type OpenParquet func(w io.Writer, columns []result.Field, metadata map[string]string) (result.Sink, error)

// parquetEncoder hands plain rows to a writer of Parquet.
type parquetEncoder struct {
	plainer
	file result.Sink
}

// Parquet returns a Func whose encoders, which must be closed, write Parquet with open.
func Parquet(open OpenParquet) Func {
	return func(w io.Writer, columns []Column) (Encoder, error) {
		// Arrow's readers know from it which text is JSON: not all could read Parquet's own JSON type as text.
		fields := plainColumns(columns)
		schema := base64.StdEncoding.EncodeToString(arrowSchema(fields))
		file, err := open(w, fields, map[string]string{"ARROW:schema": schema})
		if err != nil {
			return nil, err
		}
		return &parquetEncoder{plainer{columns: columns}, file}, nil
	}
}

// Rows implements Encoder. A number with too many digits is a *PrecisionError.
func (e *parquetEncoder) Rows(chunk *result.Chunk, n int) error {
	vectors, err := e.convert(chunk, n)
	if err != nil {
		return err
	}
	return e.file.Write(vectors, n)
}

// End implements Encoder.
func (e *parquetEncoder) End(Meta) error { return e.file.Finish() }

// Close implements io.Closer.
func (e *parquetEncoder) Close() error {
	defer e.release()
	return e.file.Close()
}
