package stream_test

import (
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

// TestSlots holds all keys of a shard in one slot, by a server of a cluster: scripts use several of
// them.
func TestSlots(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.WithArgs("--cluster-enabled", "yes"))
	slot := func(key string) int64 {
		n, _ := server.Do("CLUSTER", "KEYSLOT", key).(int64)
		return n
	}
	foreign := []string{
		"orders", "shop:orders", "{shop}:orders", "shop:{orders}:2", "a{b}c{d}", "a{b", "a}b", "{}orders", "a{}{b}", "}{", "{", "}", "{{x}}", "{ }", "é{ü}",
	}
	for _, key := range foreign {
		k := &contract.Contract{Name: "sales", Shards: 1, Stream: &contract.Stream{Key: key}}
		for _, one := range stream.Keys(k) {
			if slot(one) != slot(key) {
				t.Errorf("%s is in slot %d, the stream %s in %d", one, slot(one), key, slot(key))
			}
		}
	}
	for _, key := range append(foreign, stream.Keys(flights(1))...) {
		if got, want := int64(stream.Slot(key)), slot(key); got != want {
			t.Errorf("%q is in slot %d, want %d", key, got, want)
		}
	}
	for _, one := range stream.Keys(flights(1)) {
		want(t, "slot of "+one, slot(one), slot(stream.Key(flights(1), 0)))
	}
}
