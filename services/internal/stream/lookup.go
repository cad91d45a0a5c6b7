package stream

import (
	"context"
	"fmt"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// lookupPage is how many entries one lookup in a stream requests.
const lookupPage = 1000

// Entry looks up the entry with the ID in the shard's stream; false: it isn't there (any more).
func (c *Client) Entry(ctx context.Context, k *contract.Contract, shard int, id event.ID) (event.Entry, bool, error) {
	at := addressOf(k, shard)
	entries, err := c.lookup(ctx, at.form, "XRANGE", at.stream, id.String(), id.String(), "COUNT", "1")
	if err != nil || len(entries) == 0 {
		return event.Entry{}, false, err
	}
	return entries[0], true, nil
}

// Newest calls each with at most limit entries of the shard's stream, the newest first.
// It is for searches by people: it moves no cursor, and costs the server as much as a reader of
// as many entries.
func (c *Client) Newest(ctx context.Context, k *contract.Contract, shard, limit int, each func(event.Entry)) error {
	at := addressOf(k, shard)
	return c.newest(ctx, at.form, at.stream, limit, each)
}

func (c *Client) newest(ctx context.Context, f form, key string, limit int, each func(event.Entry)) error {
	before := "+"
	for limit > 0 {
		n := min(limit, lookupPage)
		entries, err := c.lookup(ctx, f, "XREVRANGE", key, before, "-", "COUNT", fmt.Sprint(n))
		if err != nil {
			return err
		}
		for _, e := range entries {
			each(e)
		}
		if limit -= n; len(entries) < n {
			return nil
		}
		before = "(" + entries[n-1].ID.String()
	}
	return nil
}

func (c *Client) lookup(ctx context.Context, f form, command, key string, args ...any) ([]event.Entry, error) {
	answer, err := c.rdb.Do(ctx, append([]any{command, key}, args...)...).Slice()
	if err != nil {
		return nil, fmt.Errorf("look up entries of %s: %w", key, err)
	}
	entries := make([]event.Entry, len(answer))
	for i, a := range answer {
		if entries[i], err = entryOf(f, a); err != nil {
			return nil, fmt.Errorf("look up entries of %s: %w", key, err)
		}
	}
	return entries, nil
}

// entryOf decodes an entry from a reply of go-redis, with the same parser of fields as a read.
func entryOf(f form, answer any) (event.Entry, error) {
	parts, _ := answer.([]any)
	if len(parts) != 2 {
		return event.Entry{}, errProtocol
	}
	text, _ := parts[0].(string)
	id, ok := parseID([]byte(text))
	values, _ := parts[1].([]any)
	fields := make([]string, len(values))
	for i, v := range values {
		fields[i], _ = v.(string)
	}
	if !ok {
		return event.Entry{}, errProtocol
	}
	in := cursor{buf: appendCommand(nil, fields...)}
	entry, err := in.fields(f)
	entry.ID = id
	return entry, err
}
