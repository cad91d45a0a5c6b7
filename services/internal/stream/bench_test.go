package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

const benchEntries = 100_000

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func perEvent(b *testing.B, events int, cpuBefore time.Duration) {
	b.Helper()
	b.ReportMetric(float64((cpu(b)-cpuBefore).Nanoseconds())/float64(events), "cpu-ns/event")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
	b.ReportMetric(0, "ns/op")
}

func event300() []byte {
	return []byte(`{"event_id":"` + strings.Repeat("x", 285) + `"}`)
}

// BenchmarkRead compares ways to read single events of 300 bytes from a group: ours,
// which parses them, with go-redis' typed and (not even parsed) raw replies.
func BenchmarkRead(b *testing.B) {
	server := redistest.Start(b)
	client, err := stream.Open(b.Context(), stream.Config{URL: server.URL()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	fill(b, client, stream.ProducerConfig{}, benchEntries)
	rdb := redis.NewClient(&redis.Options{
		Addr: server.Addr(), Protocol: 2, ReadTimeout: time.Minute, ReadBufferSize: 256 << 10,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer func() { _ = rdb.Close() }()

	epoch := int64(0)
	for _, count := range []int{4096, 16384} {
		b.Run(fmt.Sprintf("count=%d/own", count), func(b *testing.B) {
			s := client.Shard(flights(1), 0, "bench", stream.ShardConfig{MaxCount: count})
			defer func() { _ = s.Close() }()
			before, n := cpu(b), 0
			for b.Loop() {
				epoch++
				if _, err := s.Attach(b.Context(), epoch, event.ID{}); err != nil {
					b.Fatal(err)
				}
				n += readAll(b, s)
			}
			perEvent(b, n, before)
		})
		for name, read := range goRedisReads {
			b.Run(fmt.Sprintf("count=%d/%s", count, name), func(b *testing.B) {
				before, n := cpu(b), 0
				for b.Loop() {
					server.Do("XGROUP", "DESTROY", stream.Key(flights(1), 0), "bench")
					server.Do("XGROUP", "CREATE", stream.Key(flights(1), 0), "bench", "0")
					for got := 0; got < benchEntries; got += count {
						if err := read(b.Context(), rdb, count); err != nil {
							b.Fatal(err)
						}
					}
					n += benchEntries
				}
				perEvent(b, n, before)
			})
		}
	}
}

func readAll(b *testing.B, s *stream.Shard) (n int) {
	b.Helper()
	for n < benchEntries {
		entries, release, err := s.Read(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		n += len(entries)
		release()
	}
	return n
}

func fill(b *testing.B, client *stream.Client, cfg stream.ProducerConfig, events int) {
	b.Helper()
	p := client.Producer(b.Context(), flights(1), cfg)
	event := event300()
	for range events {
		if err := p.Add(b.Context(), 0, event); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// goRedisReads ask for entries and, the raw ones, do not even parse them.
var goRedisReads = map[string]func(context.Context, *redis.Client, int) error{
	"typed": func(ctx context.Context, rdb *redis.Client, count int) error {
		return rdb.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: "bench", Consumer: "c", Streams: []string{stream.Key(flights(1), 0), ">"},
			Count: int64(count), NoAck: true,
		}).Err()
	},
	"raw": func(ctx context.Context, rdb *redis.Client, count int) error {
		return rdb.DoRaw(ctx, readGroup(count)...).Err()
	},
	"raw-to-buffer": func(ctx context.Context, rdb *redis.Client, count int) error {
		into.Reset()
		return rdb.DoRawWriteTo(ctx, &into, readGroup(count)...).Err()
	},
}

var into bytes.Buffer

func readGroup(count int) []any {
	return []any{
		"XREADGROUP", "GROUP", "bench", "c", "COUNT", count, "NOACK", "STREAMS", stream.Key(flights(1), 0), ">",
	}
}

// BenchmarkProduce compares entries of one event with packed ones.
func BenchmarkProduce(b *testing.B) {
	for _, pack := range []int{1, 50} {
		b.Run(fmt.Sprintf("batch=%d", pack), func(b *testing.B) {
			server := redistest.Start(b)
			client, err := stream.Open(b.Context(), stream.Config{URL: server.URL()})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			before, n := cpu(b), 0
			for b.Loop() {
				server.Do("DEL", stream.Key(flights(1), 0))
				fill(b, client, stream.ProducerConfig{Batch: pack}, benchEntries)
				n += benchEntries
			}
			perEvent(b, n, before)
		})
	}
}
