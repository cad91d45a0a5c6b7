package prometheus

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Series is a series with samples in order of time. Its name is the label __name__.
type Series struct {
	Labels  map[string]string
	Samples []Sample
}

// Sample is a value at a time.
type Sample struct {
	At    time.Time
	Value float64
}

// Write stores samples. They must not lie more than an hour before the newest that is stored already.
func (s *Server) Write(ctx context.Context, all []Series) error {
	var request []byte
	for _, one := range all {
		request = protowire.AppendTag(request, 1, protowire.BytesType)
		request = protowire.AppendBytes(request, one.encode())
	}
	header := http.Header{"Content-Encoding": {"snappy"}, "X-Prometheus-Remote-Write-Version": {"0.1.0"}}
	_, err := s.send(ctx, http.MethodPost, "/api/v1/write", header, literal(request))
	return err
}

// encode is the message TimeSeries of Prometheus' remote write.
func (s Series) encode() (out []byte) {
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		label := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
		label = protowire.AppendString(protowire.AppendTag(label, 2, protowire.BytesType), s.Labels[name])
		out = protowire.AppendBytes(protowire.AppendTag(out, 1, protowire.BytesType), label)
	}
	var sample []byte
	for _, v := range s.Samples {
		sample = protowire.AppendFixed64(protowire.AppendTag(sample[:0], 1, protowire.Fixed64Type), math.Float64bits(v.Value))
		sample = protowire.AppendVarint(protowire.AppendTag(sample, 2, protowire.VarintType), uint64(v.At.UnixMilli()))
		out = protowire.AppendBytes(protowire.AppendTag(out, 2, protowire.BytesType), sample)
	}
	return out
}

// literal is text as snappy's block format, which the protocol wants, with nothing compressed: on loopback that would
// cost more than it saves.
func literal(text []byte) []byte {
	if len(text) == 0 {
		return []byte{0}
	}
	out := bytes.NewBuffer(binary.AppendUvarint(nil, uint64(len(text))))
	out.WriteByte(63 << 2) // a literal whose length is in the next four bytes
	out.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(text)-1)))
	out.Write(text)
	return out.Bytes()
}
