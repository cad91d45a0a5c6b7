package stream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// maxBlock bounds a blocked read.
const maxBlock = 2 * time.Second

// ShardConfig configures how a shard is read and trimmed.
type ShardConfig struct {
	// Lease is the time to live of a lease that is not renewed.
	//
	// Default: 15 s.
	Lease time.Duration

	// Block is how long a read waits for entries, at most 2 s.
	//
	// Default: 1 s.
	Block time.Duration

	// Timeout is how long to wait for the server beyond Block.
	//
	// Default: 5 s.
	Timeout time.Duration

	// MaxCount is the most entries requested at once. Large entries lower it, so
	// that a reply stays below about 16 MiB.
	//
	// Default: 4,096, which reads fastest: a reply stays in the processor's caches.
	MaxCount int

	// KeepFor is the retention of stored entries in the stream, for a replay or for subscribers
	// without a group.
	//
	// Default: 0, they are removed by the next Trim.
	KeepFor time.Duration

	// KeepMax limits KeepFor: while the stream has more entries, or the server uses
	// more than half of its maxmemory, each Trim drops the older half (by time) of those that are stored. It must be well below
	// the producers' HighWater, or what is kept blocks them.
	//
	// Default: 500,000; negative: no limit.
	KeepMax int64

	// Warehouse is what the shard's events are stored in: only workers of the warehouse that
	// claimed the streams, the first to ask, acquire the lease.
	//
	// Default: any.
	Warehouse event.Warehouse

	// WarnAfter is how long a foreign group may block trim without advancing before that is
	// logged.
	//
	// Default: 1 minute.
	WarnAfter time.Duration
}

func (c ShardConfig) withDefaults() ShardConfig {
	c.Lease = orDefault(c.Lease, 15*time.Second)
	c.Block = min(max(orDefault(c.Block, time.Second), time.Millisecond), maxBlock)
	c.Timeout = orDefault(c.Timeout, 5*time.Second)
	c.MaxCount = orDefault(c.MaxCount, 4096)
	c.KeepMax = orDefault(c.KeepMax, 500_000)
	c.WarnAfter = orDefault(c.WarnAfter, time.Minute)
	return c
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// Shard is the reader of one shard's stream. One goroutine uses it at a time.
type Shard struct {
	client *Client
	cfg    ShardConfig
	at     address
	key    string // of the stream
	owner  string
	// token identifies this owner of the lease; no two are equal.
	token string

	group string
	n     int64
	conn  *conn
	in    replyReader
	count int
	// delivered is where the group's cursor must be: the last entry read with it.
	delivered event.ID
	// trimmed is the bound of the last Trim since Attach.
	trimmed event.ID
	blocker trimBlocker
}

// Shard is a reader of one shard. The owner's name appears in the lease and in
// Redis' lists of consumers.
func (c *Client) Shard(k *contract.Contract, shard int, owner string, cfg ShardConfig) *Shard {
	at := addressOf(k, shard)
	return &Shard{
		client: c, cfg: cfg.withDefaults(), at: at, key: at.stream, in: replyReader{form: at.form},
		owner: owner, token: owner + "/" + rand.Text(),
	}
}

// Close closes the reader's connection. The lease stays as it is.
func (s *Shard) Close() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	if errors.Is(err, net.ErrClosed) { // a cancelled read has closed it
		err = nil
	}
	s.conn = nil
	s.in.reset()
	return err
}

// Acquire acquires the lease, or reports false while another worker owns it. It is idempotent
// for the owner. *event.OtherWarehouseError: the shard is claimed by another warehouse than
// ShardConfig's.
func (s *Shard) Acquire(ctx context.Context) (bool, error) {
	ok, err := s.onLease(ctx, acquireScript)
	if err != nil {
		return false, fmt.Errorf("acquire the lease of %s: %w", s.key, err)
	}
	return ok, nil
}

// Renew renews the lease; false: it was lost. *event.OtherWarehouseError: the shard was
// moved to another warehouse.
func (s *Shard) Renew(ctx context.Context) (bool, error) {
	ok, err := s.onLease(ctx, renewScript)
	if err != nil {
		return false, fmt.Errorf("renew the lease of %s: %w", s.key, err)
	}
	return ok, nil
}

// Release releases the lease if it is still owned, and closes the reader's connection.
func (s *Shard) Release(ctx context.Context) error {
	closed := s.Close()
	if _, err := s.onLease(ctx, releaseScript); err != nil {
		return fmt.Errorf("release the lease of %s: %w", s.key, err)
	}
	if closed != nil {
		return fmt.Errorf("close the reader of %s: %w", s.key, closed)
	}
	return nil
}

func (s *Shard) onLease(ctx context.Context, script string) (bool, error) {
	keys := []string{s.at.lease(), s.at.warehouse()}
	reply, err := s.client.eval(ctx, script, keys, warehouseArgs(s.token, s.cfg.Lease.Milliseconds(), s.cfg.Warehouse)...).Result()
	if err != nil {
		return false, err
	}
	done, err := s.client.claimReply(reply, s.at.dataset, s.cfg.Warehouse)
	return done == 1, err
}

// State returns the state of the stream and its server. A stream that does not exist has zeros.
// While attached it is [event.ErrCursorMoved] or [ErrNoGroup] if the group's cursor is not
// where this reader left it.
func (s *Shard) State(ctx context.Context) (event.StreamState, error) {
	state, err := s.state(ctx)
	if err != nil {
		return event.StreamState{}, fmt.Errorf("look up state of %s: %w", s.key, err)
	}
	return state, nil
}

func (s *Shard) state(ctx context.Context) (state event.StreamState, err error) {
	// The bound comes first: another owner may be trimming, and one that is ahead of the first entry is the mark of
	// a stream that was replaced. A transaction is refused on a full server.
	trimmed, err := s.client.rdb.Get(ctx, s.at.trimmedTo()).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return state, err
	}
	if state, err = s.client.streamInfo(ctx, s.key); err != nil {
		return state, err
	}
	if err = setID(&state.TrimmedTo, trimmed); err != nil {
		return state, err
	}
	if state.Known, err = s.checkCursor(ctx); err != nil {
		return state, err
	}
	if state.RunID, err = s.client.currentRunID(ctx); err != nil {
		return state, err
	}
	now, err := s.client.rdb.Time(ctx).Result()
	if err != nil {
		return state, err
	}
	state.Now = uint64(max(now.UnixMilli(), 0))
	return state, nil
}

// checkCursor reports whether the stream has a cursor of this pipeline, and fails if the
// reader's own is not where it must be, where that is known: not before Attach, and not
// while a reply is pending.
func (s *Shard) checkCursor(ctx context.Context) (known bool, err error) {
	groups, err := s.client.rdb.XInfoGroups(ctx, s.key).Result()
	if err != nil && !isNoKey(err) {
		return false, err
	}
	known = slices.ContainsFunc(groups, func(g redis.XInfoGroup) bool { return s.at.isOwnGroup(g.Name) })
	if s.conn == nil || s.in.pending() {
		return known, nil
	}
	i := slices.IndexFunc(groups, func(g redis.XInfoGroup) bool { return g.Name == s.group })
	if i < 0 {
		_ = s.Close()
		return known, ErrNoGroup
	}
	if at := groups[i].LastDeliveredID; at != s.delivered.String() {
		_ = s.Close() // as after a failed read: only Attach can resume
		return known, fmt.Errorf("%w: group %s is at %s, and was left at %s", event.ErrCursorMoved, s.group, at, s.delivered)
	}
	return known, nil
}

func (c *Client) currentRunID(ctx context.Context) (string, error) {
	text, err := c.rdb.Info(ctx, "server").Result()
	if err != nil {
		return "", err
	}
	return parseInfo(text)["run_id"], nil
}

// streamInfo looks up XINFO STREAM; a stream that does not exist has zeros.
func (c *Client) streamInfo(ctx context.Context, key string) (event.StreamState, error) {
	return parseStream(c.rdb.Do(ctx, "XINFO", "STREAM", key))
}

// parseStream reads the reply to XINFO STREAM by name: its fields differ between servers.
func parseStream(answer *redis.Cmd) (state event.StreamState, err error) {
	fields, err := answer.Slice()
	if isNoKey(err) {
		return state, nil
	}
	if err != nil {
		return state, err
	}
	for i := 0; i+1 < len(fields); i += 2 {
		switch fields[i] {
		case "length":
			state.Length, _ = fields[i+1].(int64)
		case "entries-added":
			state.Added, _ = fields[i+1].(int64)
		case "last-generated-id":
			err = errors.Join(err, setID(&state.Last, fields[i+1]))
		case "max-deleted-entry-id":
			err = errors.Join(err, setID(&state.MaxDeleted, fields[i+1]))
		case "first-entry":
			err = errors.Join(err, setEntryID(&state.First, fields[i+1]))
		case "last-entry":
			err = errors.Join(err, setEntryID(&state.Newest, fields[i+1]))
		}
	}
	return state, err
}

func setEntryID(id *event.ID, entry any) error {
	if parts, ok := entry.([]any); ok && len(parts) > 0 {
		return setID(id, parts[0])
	}
	return nil
}

func setID(id *event.ID, value any) (err error) {
	text, _ := value.(string)
	if text == "" {
		return nil
	}
	*id, err = event.ParseID(text)
	return err
}

func isNoKey(err error) bool {
	return err != nil && strings.Contains(err.Error(), "no such key")
}
