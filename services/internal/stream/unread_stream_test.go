package stream_test

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/redis/go-redis/v9"

	"github.com/estela-dev/estela/services/internal/contract"
)

// TestUnreadStreams distinguishes keys meant for a dataset from its own and from unrelated ones.
func TestUnreadStreams(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			url := b.start(t)
			client := open(t, url)
			opts, err := redis.ParseURL(url)
			must(t, err)
			opts.Protocol, opts.DisableIdentity = 2, true
			raw := redis.NewClient(opts)
			t.Cleanup(func() { _ = raw.Close() })
			do := func(args ...any) {
				t.Helper()
				must(t, raw.Do(context.WithoutCancel(t.Context()), args...).Err())
			}
			const schema = `{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
				"x-estela": {"key": "id", "time": "at", "shards": 2}, "required": ["id", "at"],
				"properties": {"id": {"type": "string"}, "at": {"type": "string", "format": "date-time"}}}`
			c, err := contract.Load(fstest.MapFS{"flights/contract.json": {Data: []byte(schema)}}, "flights")
			must(t, err)
			other, err := contract.Load(fstest.MapFS{"trains/contract.json": {Data: []byte(schema)}}, "trains")
			must(t, err)
			must(t, client.RegisterContract(t.Context(), other, nil, true)) // another process ingests it
			for _, key := range []string{
				"estela:{flights:0}", "estela:{flights:1}", "estela:{trains:1}", "app:flights:raw", "flights-out",
				"estela:{flights:2}", "FLIGHTS", "estela:flight:0", "estela:{planes:0}",
			} {
				do("XADD", key, "*", "event", "{}")
			}
			do("DEL", "estela:{flights:1}")
			do("LPUSH", "estela:{flights:1}", "x")
			do("SET", "estela:{flights:0}:warehouse", "x")
			do("SET", "flights", "of another")
			found, whole, err := client.UnreadStreams(t.Context(), []*contract.Contract{c})
			must(t, err)
			want(t, "whole", whole, true)
			var got string
			for _, s := range found {
				got += fmt.Sprintf("%s %s %s %s %d\n", s.Key, s.Dataset, s.Type, s.Want, s.Length)
			}
			want(t, "unread streams", got, "estela:{flights:0}:warehouse flights string hash 0\n"+
				"estela:{flights:1} flights list stream 0\n"+
				"FLIGHTS flights stream stream 1\n"+
				"estela:flight:0 flights stream stream 1\n"+
				"estela:{flights:2} flights stream stream 1\n"+
				"estela:{planes:0}  stream stream 1\n")
			do("DEL", "estela:{flights:0}:warehouse")
			all, err := client.Summaries(t.Context(), flights(2))
			must(t, err)
			want(t, "summaries of streams", len(all), 1+1)
		})
	}
}
