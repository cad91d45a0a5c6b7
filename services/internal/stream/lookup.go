package stream

import (
	"context"
	"fmt"

	"github.com/estela-dev/estela/services/internal/event"
)

// lookupPage is how many entries one lookup in a stream requests.
const lookupPage = 1000

// Entry looks up the entry with the ID in the shard's stream; false: it isn't there (any more).
func (c *Client) Entry(ctx context.Context, dataset string, shard int, id event.ID) (event.Entry, bool, error) {
	entries, err := c.lookup(ctx, "XRANGE", Key(dataset, shard), id.String(), id.String(), "COUNT", "1")
	if err != nil || len(entries) == 0 {
		return event.Entry{}, false, err
	}
	return entries[0], true, nil
}

// Newest calls each with at most limit entries of the shard's stream, the newest first.
// It is for searches by people: it moves no cursor, and costs the server as much as a reader of
// as many entries.
func (c *Client) Newest(ctx context.Context, dataset string, shard, limit int, each func(event.Entry)) error {
	return c.newest(ctx, Key(dataset, shard), limit, each)
}

func (c *Client) newest(ctx context.Context, key string, limit int, each func(event.Entry)) error {
	before := "+"
	for limit > 0 {
		n := min(limit, lookupPage)
		entries, err := c.lookup(ctx, "XREVRANGE", key, before, "-", "COUNT", fmt.Sprint(n))
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

func (c *Client) lookup(ctx context.Context, command, key string, args ...any) ([]event.Entry, error) {
	answer, err := c.rdb.Do(ctx, append([]any{command, key}, args...)...).Slice()
	if err != nil {
		return nil, fmt.Errorf("look up entries of %s: %w", key, err)
	}
	entries := make([]event.Entry, len(answer))
	for i, a := range answer {
		if entries[i], err = entryOf(a); err != nil {
			return nil, fmt.Errorf("look up entries of %s: %w", key, err)
		}
	}
	return entries, nil
}

// entryOf decodes an entry from a reply of go-redis, with the same parser of fields as a read.
func entryOf(answer any) (event.Entry, error) {
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
	entry, err := in.fields()
	entry.ID = id
	return entry, err
}
