package chaos_test

import (
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
)

type (
	producerConfig = stream.ProducerConfig
	waiting        = stream.Waiting
)

// streamOf packs so many events into an entry.
func streamOf(batch int) producerConfig { return producerConfig{Batch: batch} }

// publish publishes n events of the source and waits until they are acknowledged.
func (p *pipeline) publish(n int, cfg ...stream.ProducerConfig) {
	p.t.Helper()
	producer := p.producer(p.client, cfg...)
	for range n {
		p.next(producer)
	}
	must(p.t, producer.Close(p.t.Context()))
}

func (p *pipeline) producer(client *stream.Client, cfg ...stream.ProducerConfig) *stream.Producer {
	return client.Producer(p.t.Context(), p.contract, append(cfg, stream.ProducerConfig{})[0])
}

// next hands the source's next event to the producer.
func (p *pipeline) next(producer *stream.Producer) {
	payload, key := p.source.Next()
	if err := producer.Add(p.t.Context(), event.Shard(key, p.shards), payload); err != nil {
		p.t.Error(err)
	}
}

// send publishes these payloads to shard 0, in one entry or in one each.
func (p *pipeline) send(batch int, payloads ...[]byte) {
	p.t.Helper()
	producer := p.producer(p.client, stream.ProducerConfig{Batch: batch})
	for _, payload := range payloads {
		must(p.t, producer.Add(p.t.Context(), 0, payload))
	}
	must(p.t, producer.Close(p.t.Context()))
}

// publishing publishes bursts, single events and batch entries in turn, until
// stop is called, which returns when all is acknowledged.
func (p *pipeline) publishing(client *stream.Client, burst int, every time.Duration) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for round := 0; ; round++ {
			producer := p.producer(client, stream.ProducerConfig{Batch: 1 + round%2*19, Linger: 5 * time.Millisecond})
			for range burst {
				p.next(producer)
			}
			if err := producer.Close(p.t.Context()); err != nil {
				p.t.Error(err)
				return
			}
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(quit)
		select {
		case <-done:
		case <-time.After(patience):
			p.t.Error("the producer does not finish")
		}
	}
}

// add puts one entry into shard 0 under an ID of the test's choice.
func (p *pipeline) add(id event.ID, payload []byte) {
	p.t.Helper()
	p.redis.Do("XADD", p.key(0), id.String(), "event", payload)
}

func (p *pipeline) key(shard int) string { return stream.Key(p.contract, shard) }

// backfill is a batch of shard 0 that came from no stream.
func (p *pipeline) backfill(payloads ...[]byte) *contract.Batch {
	b, d := p.contract.NewBatch(0, len(payloads)), p.contract.NewDecoder()
	for i, payload := range payloads {
		d.Decode(b, payload, event.ID{MS: uint64(time.Now().UnixMilli())}, uint32(i+1))
	}
	b.Unstreamed = true
	return b
}
