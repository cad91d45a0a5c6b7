package stream

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// ServerInfo is the INFO of a server. A value that it lacks is empty or 0.
type ServerInfo struct {
	// Version is Redis' version, also on servers compatible with it.
	Version string
	// RunID changes at every start of the server.
	RunID string
	// Embedded: an in-memory server inside a process, see package embeddedredis.
	Embedded bool
	// MaxMemory and UsedMemory are bytes; MaxMemory 0 is without limit.
	MaxMemory, UsedMemory int64
	// Policy is maxmemory-policy.
	Policy string
	// AOF: every write is logged to disk, so a restart loses little or nothing.
	AOF bool
	// ClockSkew is the server's clock minus ours, give or take RoundTrip.
	ClockSkew, RoundTrip time.Duration
}

// Info reads the server's INFO and clock.
func (c *Client) Info(ctx context.Context) (ServerInfo, error) {
	fields, err := c.info(ctx)
	if err != nil {
		return ServerInfo{}, fmt.Errorf("read INFO of %s: %w", c.where, err)
	}
	s := ServerInfo{
		Version: fields["redis_version"], RunID: fields["run_id"], Embedded: IsEmbedded(fields["run_id"]),
		MaxMemory: number(fields["maxmemory"]), UsedMemory: number(fields["used_memory"]),
		Policy: fields["maxmemory_policy"], AOF: fields["aof_enabled"] == "1",
	}
	before := time.Now()
	now, err := c.rdb.Time(ctx).Result()
	if err != nil {
		return ServerInfo{}, fmt.Errorf("read time of %s: %w", c.where, err)
	}
	s.RoundTrip = time.Since(before)
	s.ClockSkew = now.Sub(before.Add(s.RoundTrip / 2))
	return s, nil
}

// AwaitLoaded waits while the server reads its data from disk, when it refuses every command
// that touches data.
func (c *Client) AwaitLoaded(ctx context.Context) error {
	for {
		fields, err := c.info(ctx)
		if err != nil {
			return fmt.Errorf("read INFO of %s: %w", c.where, err)
		}
		if fields["loading"] != "1" {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("wait until %s has loaded its data: %w", c.where, ctx.Err())
		}
	}
}

// Check refuses, with a [RefusedError], a server that would lose events
// silently or lacks commands.
func (c *Client) Check(ctx context.Context) error {
	s, err := c.Info(ctx)
	if err != nil {
		return err
	}
	return s.Check()
}

// Check is [Client.Check] on INFO that was read.
func (s ServerInfo) Check() error {
	major, _, _ := strings.Cut(s.Version, ".")
	if number(major) < 7 {
		return &RefusedError{
			Err: ErrVersion, Reason: "this is version " + s.Version,
			Hint: "run Redis 7.0 or newer, or Valkey",
		}
	}
	if s.Policy != "noeviction" {
		return &RefusedError{
			Err:    ErrPolicy,
			Reason: fmt.Sprintf("maxmemory-policy is %q, which can delete a stream with all its events", s.Policy),
			Hint:   "run redis-cli CONFIG SET maxmemory-policy noeviction, and set it where the server is configured",
		}
	}
	return nil
}

// info reads INFO's default sections.
func (c *Client) info(ctx context.Context) (map[string]string, error) {
	text, err := c.rdb.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	return parseInfo(text), nil
}

func parseInfo(text string) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			fields[name] = value
		}
	}
	return fields
}

// IsEmbedded reports whether a run id is an embedded server's, which keeps nothing once it has
// ended.
func IsEmbedded(runID string) bool { return strings.HasPrefix(runID, event.EmbeddedRunID) }

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// Lengths returns the numbers of entries in the streams of a dataset, by shard.
func (c *Client) Lengths(ctx context.Context, k *contract.Contract) ([]int64, error) {
	lengths := make([]int64, k.Shards)
	for shard := range lengths {
		n, err := c.rdb.XLen(ctx, Key(k, shard)).Result()
		if err != nil {
			return nil, fmt.Errorf("look up length of %s: %w", Key(k, shard), err)
		}
		lengths[shard] = n
	}
	return lengths, nil
}
