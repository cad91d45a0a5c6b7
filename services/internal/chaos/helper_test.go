package chaos_test

import "github.com/estela-dev/estela/services/internal/stream"

// streamOf packs so many events into an entry.
func streamOf(batch int) stream.ProducerConfig { return stream.ProducerConfig{Batch: batch} }
