package worker

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestKeySetNeverForgets compares the set with a map: whatever was added within the window is
// seen, with a range of time that includes the one added.
func TestKeySetNeverForgets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.Uint64Range(1, 1<<20).Draw(t, "window")
		set, added := newKeySet(window), map[uint64][]uint64{}
		ms := rapid.Uint64Range(0, 1<<41).Draw(t, "start")
		// Few bits: keys that come again, and keys that share a slot's 48 bits.
		hashes := rapid.Custom(func(t *rapid.T) uint64 {
			return rapid.Uint64Range(0, 3).Draw(t, "table")<<56 |
				rapid.Uint64Range(0, 3).Draw(t, "lost bits")<<40 |
				rapid.Uint64Range(0, 200).Draw(t, "tag")
		})
		for range rapid.IntRange(1, 2000).Draw(t, "events") {
			ms += rapid.Uint64Range(0, window/8).Draw(t, "step")
			hash := hashes.Draw(t, "hash")
			// Most come in order; one can lie behind what a backfill has stored.
			now := ms - min(ms, rapid.SampledFrom([]uint64{0, 0, 0, window / 2, window}).Draw(t, "late"))
			from, to, ok := set.seen(hash, now)
			for _, at := range added[hash] {
				if at+window >= now && at <= now+window && at+window >= ms && (!ok || at < from || at > to) {
					t.Fatalf("added at %d, window %d, now %d: seen %v from %d to %d", at, window, now, ok, from, to)
				}
			}
			set.add(hash, now)
			added[hash] = append(added[hash], now)
		}
	})
}

func TestKeySetForgetsWhatLeftTheWindow(t *testing.T) {
	t.Parallel()
	const window = 60_000
	set := newKeySet(window)
	for i := range uint64(2_000_000) { // 33 windows
		set.add(rand.Uint64(), 1_700_000_000_000+i)
	}
	if perKey := set.bytes() / window; perKey > 40 {
		t.Errorf("%d bytes a key of the window: what left it stays", perKey)
	}
}

// BenchmarkKeySet adds 30 million keys of one window, in batches as they are
// committed, and prints the time and the memory they take.
func BenchmarkKeySet(b *testing.B) {
	const keys = 30_000_000
	hashes := make([]uint64, rowGroup)
	for b.Loop() {
		set := newKeySet(86_400_000)
		x := uint64(1)
		for n := range uint64(keys / rowGroup) {
			for i := range hashes {
				x = x*6364136223846793005 + 1442695040888963407
				hashes[i] = x ^ x>>29
			}
			for i, hash := range hashes {
				if i%warmRows == 0 {
					set.warm(hashes[i:min(i+warmRows, len(hashes))])
				}
				if _, _, ok := set.seen(hash, n*300); !ok {
					set.add(hash, n*300)
				}
			}
		}
		b.ReportMetric(float64(set.bytes())/keys, "B/key")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/keys, "ns/key")
	}
}
