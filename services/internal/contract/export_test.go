package contract

import "github.com/estela-dev/estela/services/internal/event"

// DecodeSlow decodes without the fast path.
func (d *Decoder) DecodeSlow(b *Batch, payload []byte, id event.ID, line uint32) bool {
	return d.slow(b, payload, id, line)
}

// IsFast reports whether the fast path takes the document.
func (d *Decoder) IsFast(b *Batch, payload []byte) bool {
	defer b.undo()
	return d.fast(b, payload)
}
