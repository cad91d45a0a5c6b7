package stream

import (
	"bytes"
	"io"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// ParseReply reads one reply as a reader would, from reads of at most step
// bytes, and returns copies of the entries.
func ParseReply(reply []byte, step int) ([]event.Entry, error) {
	var in replyReader
	defer in.reset()
	from := &stepReader{in: bytes.NewReader(reply), step: step}
	var all []event.Entry
	for {
		seg, err := in.next(from)
		if err != nil {
			return all, err
		}
		if seg != nil {
			for _, e := range seg.entries {
				e.Payload = bytes.Clone(e.Payload)
				all = append(all, e)
			}
			seg.release()
		}
		if !in.pending() {
			return all, nil
		}
	}
}

type stepReader struct {
	in   io.Reader
	step int
}

func (r *stepReader) Read(p []byte) (int, error) {
	return r.in.Read(p[:min(len(p), r.step)])
}

// Group is the name of the reader's group; Count is what it asks for next.
func (s *Shard) Group() string { return s.group }

// Count is how many entries the reader asks for next.
func (s *Shard) Count() int { return s.count }

// SegmentSize is the size of a segment of a reply.
const SegmentSize = segmentSize

// Slot is the slot of a Redis Cluster that the key is in.
func Slot(key string) uint16 { return slot(hashedPart(key)) }

// Keys are all keys of the dataset's first shard.
func Keys(k *contract.Contract) []string {
	at := addressOf(k, 0)
	return []string{at.stream, at.lease(), at.trimmedTo(), at.warehouse(), at.stored()}
}
