package stream

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// UnreadStream is a key that seems to be meant for a dataset, but that no worker reads.
type UnreadStream struct {
	Key string
	// Dataset is the one that it is named after, "" if its name begins with "estela" and has no
	// registered dataset.
	Dataset string
	// Type is the key's type, usually "stream"; Want is the type that it must have.
	Type, Want string
	// Length is the number of entries, of a stream.
	Length int64
}

const (
	// scanPage is about how many keys one SCAN returns, scanPages the most SCANs: a large shared
	// server is not scanned to its end.
	scanPage, scanPages = 1000, 1000
)

// UnreadStreams finds streams whose names are another spelling of a dataset's, or of a shard that it
// doesn't have, and keys of Estela's with a wrong type. It scans at most a million keys; whole reports
// whether those were all.
func (c *Client) UnreadStreams(ctx context.Context, all []*contract.Contract) (found []UnreadStream, whole bool, err error) {
	for _, k := range all {
		wrong, err := c.wrongTypes(ctx, k)
		if err != nil {
			return nil, false, fmt.Errorf("look up keys of %s: %w", k.Name, err)
		}
		found = append(found, wrong...)
	}
	slices.SortFunc(found, func(a, b UnreadStream) int { return strings.Compare(a.Key, b.Key) })
	found = slices.Compact(found)
	names, err := c.rdb.HKeys(ctx, contractsKey).Result()
	if err != nil && !isWrongType(err) {
		return nil, false, fmt.Errorf("look up registered contracts: %w", err)
	}
	keys, whole, err := c.streamKeys(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("scan for streams: %w", err)
	}
	for _, key := range keys {
		dataset, unread := unreadDataset(key, all, names)
		if !unread {
			continue
		}
		n, err := c.rdb.XLen(ctx, key).Result()
		if err != nil {
			return nil, false, fmt.Errorf("look up length of %s: %w", key, err)
		}
		if n > 0 {
			found = append(found, UnreadStream{Key: key, Dataset: dataset, Type: "stream", Want: "stream", Length: n})
		}
	}
	return found, whole, nil
}

// streamKeys returns the keys of all streams.
func (c *Client) streamKeys(ctx context.Context) (keys []string, whole bool, err error) {
	var at uint64
	for range scanPages {
		page, next, err := c.rdb.ScanType(ctx, at, "", scanPage, "stream").Result()
		if err != nil {
			return nil, false, err
		}
		keys = append(keys, page...)
		if at = next; at == 0 {
			slices.Sort(keys)
			return slices.Compact(keys), true, nil // SCAN may return one twice
		}
	}
	return keys, false, nil
}

// words matches the words of a key, whatever separates them.
var words = regexp.MustCompile(`[\p{L}\p{N}_-]+`)

// unreadDataset returns the dataset that a stream is named after, if it is no shard of it or of any
// registered one. Such a name is, in any spelling, the dataset's, with or without "estela" before it and
// numbers after it; or "estela" with none.
func unreadDataset(key string, all []*contract.Contract, registered []string) (dataset string, unread bool) {
	for _, k := range all {
		if k.Stream != nil && key == k.Stream.Key || k.Stream == nil && isShard(key, k.Name, k.Shards) {
			return "", false
		}
	}
	parts := words.FindAllString(strings.ToLower(key), -1)
	ours := len(parts) > 0 && parts[0] == "estela"
	if ours {
		parts = parts[1:]
	}
	for len(parts) > 1 && digits(parts[len(parts)-1]) {
		parts = parts[:len(parts)-1]
	}
	for _, k := range all {
		if len(parts) == 1 && sameName(parts[0], strings.ToLower(k.Name)) {
			return k.Name, true
		}
	}
	known := slices.ContainsFunc(registered, func(name string) bool { return isShard(key, name, contract.MaxShards) })
	return "", ours && !known
}

// sameName ignores plurals, hyphens, underscores and numbers at the end.
func sameName(a, b string) bool {
	plain := func(s string) string {
		return strings.TrimSuffix(strings.NewReplacer("-", "", "_", "").Replace(strings.TrimRight(s, "0123456789")), "s")
	}
	return a == b || plain(a) == plain(b)
}

func isShard(key, dataset string, shards int) bool {
	text, ours := strings.CutPrefix(key, "estela:{"+dataset+":")
	shard, err := strconv.Atoi(strings.TrimSuffix(text, "}"))
	return ours && err == nil && shard >= 0 && shard < shards && key == Key(&contract.Contract{Name: dataset}, shard)
}

// wrongTypes returns the dataset's keys with a wrong type.
func (c *Client) wrongTypes(ctx context.Context, k *contract.Contract) (found []UnreadStream, err error) {
	pipe := c.rdb.Pipeline()
	var keys []UnreadStream
	var types []*redis.StatusCmd
	check := func(key, want string) {
		keys, types = append(keys, UnreadStream{Key: key, Dataset: k.Name, Want: want}), append(types, pipe.Type(ctx, key))
	}
	check(contractsKey, "hash")
	for shard := range k.Shards {
		at := addressOf(k, shard)
		check(at.stream, "stream")
		check(at.lease(), "string")
		check(at.trimmedTo(), "string")
		check(at.warehouse(), "hash")
		check(at.stored(), "hash")
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	for i, one := range keys {
		if one.Type = types[i].Val(); one.Type != one.Want && one.Type != "none" {
			found = append(found, one)
		}
	}
	return found, nil
}

// NewestOf calls each with at most limit entries of the stream with the key, the newest first.
func (c *Client) NewestOf(ctx context.Context, key string, limit int, each func(event.Entry)) error {
	return c.newest(ctx, form{}, key, limit, each)
}
