package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
)

const (
	minBackoff = 10 * time.Millisecond
	maxBackoff = time.Second
)

// sender sends a producer's batches to the server, with retries and backpressure.
type sender struct {
	client *Client
	cfg    ProducerConfig
	conn   *conn
	in     *bufio.Reader
	// lengths are the streams' lengths in the last reply; nil before it. room is how many entries
	// may be added to each above the mark before the lag is looked up again.
	lengths, room []int64
	// last are the IDs of the newest entries that were acknowledged, by shard.
	last []event.ID
}

func newSender(client *Client, cfg ProducerConfig, shards int) *sender {
	return &sender{client: client, cfg: cfg, room: make([]int64, shards), last: make([]event.ID, shards)}
}

func (l *sender) close() {
	if l.conn != nil {
		_ = l.conn.Close() // all that was acknowledged is read
		l.conn = nil
	}
}

// send returns when the whole batch is acknowledged, when ctx ends, or with a permanent error.
func (l *sender) send(ctx context.Context, b *batch, shards []shardCommands) error {
	for i := range b.packs {
		b.seal(&shards[i], i)
	}
	l.finish(b, shards)
	if err := l.awaitRoom(ctx, b, shards); err != nil {
		return err
	}
	started := time.Now()
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		err := l.exchange(ctx, b, shards)
		if err == nil || !l.isRetryable(ctx, err) || l.isExpired(started) {
			return err
		}
		if err := l.pause(ctx, Waiting{Err: err, For: wait}); err != nil {
			return err
		}
	}
}

// finish appends what follows the events: EXEC, WAIT, and XLEN of the streams
// they went to.
func (l *sender) finish(b *batch, shards []shardCommands) {
	b.out = appendCommand(b.out, "EXEC")
	if l.cfg.Wait > 0 {
		b.out = appendCommand(b.out, "WAIT", strconv.Itoa(l.cfg.Wait),
			strconv.FormatInt(max(l.cfg.WaitTimeout.Milliseconds(), 1), 10))
	}
	for i, n := range b.commands {
		if n > 0 {
			b.out = appendCommand(b.out, "XLEN", shards[i].key)
		}
	}
}

// isRetryable reports whether to retry. After a cut connection or a time-out it is unknown
// whether the events are in the stream; a second copy is dropped downstream by its key.
func (l *sender) isRetryable(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.Is(err, ErrReplicas) || errors.Is(err, errProtocol) {
		return false
	}
	var reply ReplyError
	return !errors.As(err, &reply) || reply.isTransient()
}

// isExpired reports whether retries have taken longer than Patience.
func (l *sender) isExpired(started time.Time) bool {
	return l.cfg.Patience > 0 && time.Since(started) > l.cfg.Patience
}

func (l *sender) pause(ctx context.Context, why Waiting) error {
	if l.cfg.OnWait != nil {
		l.cfg.OnWait(why)
	}
	select {
	case <-time.After(why.For):
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), why.Err)
	}
}

// exchange sends the batch once. Any error ends the connection: replies may be
// left on it.
func (l *sender) exchange(ctx context.Context, b *batch, shards []shardCommands) (err error) {
	if l.conn == nil {
		if l.conn, err = dial(ctx, l.client.dialing); err != nil {
			return err
		}
		l.in = bufio.NewReaderSize(l.conn, 64<<10)
	}
	stop := l.conn.closeOn(ctx)
	defer stop()
	if err = l.roundTrip(b, shards); err != nil {
		l.close()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return err
}

func (l *sender) roundTrip(b *batch, shards []shardCommands) error {
	if err := l.conn.SetDeadline(time.Now().Add(l.cfg.Timeout + l.cfg.WaitTimeout)); err != nil {
		return err
	}
	if _, err := l.conn.Write(b.out); err != nil {
		return err
	}
	if err := l.readQueued(b, shards); err != nil {
		return err
	}
	if err := l.readAdded(b, shards); err != nil {
		return err
	}
	if err := l.readReplicas(); err != nil {
		return err
	}
	return l.readLengths(b)
}

// readQueued reads the replies to MULTI and to each XADD. A refused XADD makes
// EXEC refuse all; the first refusal says more than EXEC's.
func (l *sender) readQueued(b *batch, shards []shardCommands) error {
	if _, err := readLine(l.in); err != nil {
		return err
	}
	for _, shard := range b.order {
		if _, err := readLine(l.in); err != nil {
			return fmt.Errorf("add to %s: %w", shards[shard].key, err)
		}
	}
	return nil
}

// readAdded reads EXEC's reply: the new IDs, or what is wrong with a stream.
func (l *sender) readAdded(b *batch, shards []shardCommands) error {
	n, err := readInt(l.in, '*')
	if err != nil {
		return err
	}
	if n != int64(len(b.order)) {
		return errProtocol
	}
	for _, shard := range b.order {
		id, err := readID(l.in)
		if err != nil {
			return fmt.Errorf("add to %s: %w", shards[shard].key, err)
		}
		l.last[shard] = id
	}
	return nil
}

func (l *sender) readReplicas() error {
	if l.cfg.Wait <= 0 {
		return nil
	}
	n, err := readInt(l.in, ':')
	if err == nil && n < int64(l.cfg.Wait) {
		return fmt.Errorf("%w: %d of %d within %s", ErrReplicas, n, l.cfg.Wait, l.cfg.WaitTimeout)
	}
	return err
}

func (l *sender) readLengths(b *batch) error {
	for i, commands := range b.commands {
		if commands == 0 {
			continue
		}
		n, err := readInt(l.in, ':')
		if err != nil {
			return err
		}
		l.lengths[i] = n
	}
	return nil
}

// awaitRoom waits until no stream of the batch has a lag above the high-water mark. The length
// of a stream, which is in the last reply, is an upper bound of that; the lag is looked up at
// first and for longer streams, each time that a quarter of the room is used up, for others add
// to them too.
func (l *sender) awaitRoom(ctx context.Context, b *batch, shards []shardCommands) error {
	first := l.lengths == nil
	if first {
		l.lengths = make([]int64, len(shards))
	}
	if l.cfg.HighWater < 0 {
		return nil
	}
	for i, commands := range b.commands {
		if commands == 0 {
			continue
		}
		if !first && l.lengths[i] < l.cfg.HighWater {
			l.room[i] = 0
			continue
		}
		if l.room[i] -= commands; l.room[i] > 0 {
			continue
		}
		if err := l.awaitShard(ctx, i, shards[i].at); err != nil {
			return err
		}
	}
	return nil
}

func (l *sender) awaitShard(ctx context.Context, shard int, at address) error {
	started := time.Now()
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		lag, err := l.client.lag(ctx, at)
		if err == nil && lag.Entries < l.cfg.HighWater {
			l.lengths[shard], l.room[shard] = lag.Length, (l.cfg.HighWater-lag.Entries)/4
			return nil
		}
		if err != nil && (!IsTransient(err) || l.isExpired(started)) {
			return err
		}
		if err := l.pause(ctx, Waiting{Shard: shard, Lag: lag, Err: err, For: wait}); err != nil {
			return err
		}
	}
}
