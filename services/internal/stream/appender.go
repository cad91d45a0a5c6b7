package stream

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

const (
	// flushers is how many groups of additions are under way at once.
	flushers = 2
	// maxGroup bounds a group, in bytes.
	maxGroup = 4 << 20
	// appendTimeout bounds a group's time, so that an addition ends when the server doesn't answer.
	appendTimeout = 10 * time.Second
	// RequestTTL is how long an idempotency key is kept after its request's first events.
	RequestTTL = 24 * time.Hour
)

// plainShebang is for scripts that a full server refuses before they begin.
const plainShebang = "#!lua\n"

// onceScript adds the next events of a request that may be repeated. The record of what it has added lies
// in the stream's slot and changes with it.
//
// An embedded server may be full half-way: what was added until then is recorded, and the caller goes on.
//
// Keys: stream, record. Args: hash of the request's events, events of it that should be in the stream, time to
// live of the record in ms, traceparent of the first entry or nothing, then field, payload and number of events of each entry. Returns whether the record is of
// these events, how many of them are in the stream now, and the first and the last ID of their entries.
const onceScript = plainShebang + `
local known = redis.call('HMGET', KEYS[2], 'body', 'events', 'first', 'last')
if known[1] and known[1] ~= ARGV[1] then return {0, 0, '0-0', '0-0'} end
local events, first, last = tonumber(known[2] or '0'), known[3], known[4]
if events == tonumber(ARGV[2]) then
  for i = 5, #ARGV, 3 do
    local fields = {ARGV[i], ARGV[i + 1]}
    if i == 5 and ARGV[4] ~= '' then fields = {ARGV[i], ARGV[i + 1], 'traceparent', ARGV[4]} end
    local id = redis.pcall('XADD', KEYS[1], '*', unpack(fields))
    if type(id) == 'table' then -- an error
      if i == 5 then return id end
      break
    end
    first, last = first or id, id
    events = events + tonumber(ARGV[i + 2])
  end
  redis.call('HSET', KEYS[2], 'body', ARGV[1], 'events', events)
  if last then redis.call('HSET', KEYS[2], 'first', first, 'last', last) end
  if not known[1] then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
end
return {1, events, first or '0-0', last or '0-0'}`

// Appender adds entries to streams for many callers at once: what comes while a group is under way goes
// in the next one, so that small additions share round trips. Unlike a [Producer] it retries nothing: whoever
// waits for the answer decides. It is safe for concurrent use.
type Appender struct {
	client *Client
	queue  chan *group
	done   chan struct{}
	ended  sync.WaitGroup
}

// group is what one caller adds, as commands.
type group struct {
	commands []redis.Cmder
	bytes    int
	sent     chan struct{} // closed once every command has its reply or its error
}

// Appender starts an appender, which runs until Close.
func (c *Client) Appender() *Appender {
	a := &Appender{client: c, queue: make(chan *group, 1024), done: make(chan struct{})}
	for range flushers {
		a.ended.Go(a.run)
	}
	return a
}

// Close ends the appender. What waits for its turn is not added.
func (a *Appender) Close() {
	close(a.done)
	a.ended.Wait()
}

func (a *Appender) run() {
	for {
		select {
		case first := <-a.queue:
			a.flush(a.collect(first))
		case <-a.done:
			return
		}
	}
}

// collect returns the first and those that wait behind it.
func (a *Appender) collect(first *group) []*group {
	all, bytes := []*group{first}, first.bytes
	for bytes < maxGroup {
		select {
		case next := <-a.queue:
			all, bytes = append(all, next), bytes+next.bytes
		default:
			return all
		}
	}
	return all
}

// flush sends groups in one round trip.
func (a *Appender) flush(groups []*group) {
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout) //nolint:forbidigo // the group's, not a caller's
	defer cancel()
	pipe := a.client.rdb.Pipeline()
	for _, one := range groups {
		for _, command := range one.commands {
			_ = pipe.Process(ctx, command) // is queued
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for _, one := range groups {
		close(one.sent)
	}
}

// send returns when the server has answered. It doesn't end with a context: the commands refer to the
// caller's memory.
func (a *Appender) send(one *group) error {
	one.sent = make(chan struct{})
	select {
	case a.queue <- one:
	case <-a.done:
		return errClosed
	}
	select {
	case <-one.sent:
	case <-a.done:
		a.ended.Wait()
		select {
		case <-one.sent:
		default:
			return errClosed // it was not sent
		}
	}
	return nil
}

// appendError marks the error of a full server.
func appendError(err error) error {
	var refused redis.Error
	if errors.As(err, &refused) && ReplyError(refused.Error()).isFull() {
		return fmt.Errorf("%w: %w", event.ErrFull, err)
	}
	return err
}

// isFull reports whether the server had no memory for the command, or for one of the transaction.
func (e ReplyError) isFull() bool {
	_, cause, _ := strings.Cut(string(e), "discarded because of: ")
	return e.Code() == "OOM" || ReplyError(cause).Code() == "OOM"
}

// Append makes the additions, in one round trip, and returns when the server has them all. After an error some of
// them may have been made; of one whose error is not [event.ErrFull] or [event.ErrOtherRequest] it is not
// known. It doesn't end with a context, for the commands refer to the caller's memory, but within
// seconds if the server doesn't answer.
func (a *Appender) Append(k *contract.Contract, additions []event.Addition) error {
	all := &group{}
	ends := make([]int, len(additions)) // of each addition's commands
	for i := range additions {
		all.add(addressOf(k, additions[i].Shard), &additions[i])
		ends[i] = len(all.commands)
	}
	if err := a.send(all); err != nil {
		return fmt.Errorf("add to the streams of %s: %w", k.Name, err)
	}
	from := 0
	for i := range additions {
		added, err := outcome(all.commands[from:ends[i]], &additions[i])
		if err != nil {
			return fmt.Errorf("add to %s: %w", Key(k, additions[i].Shard), err)
		}
		additions[i].Added, from = added, ends[i]
	}
	return nil
}

// noContext is what go-redis wants to make a command; the pipeline that sends it has its own.
var noContext = context.Background() //nolint:forbidigo // see above

// add adds the commands of an addition: an XADD, a transaction of several, or a script.
func (g *group) add(at address, to *event.Addition) {
	for _, e := range to.Entries {
		g.bytes += len(e.Data)
	}
	switch {
	case to.Once != nil:
		g.commands = append(g.commands, redis.NewSliceCmd(noContext, onceArgs(at, to)...))
	case len(to.Entries) == 1:
		g.commands = append(g.commands, redis.NewStringCmd(noContext, at.xadd(to.Entries[0], to.Trace)...))
	default:
		g.commands = append(g.commands, redis.NewStatusCmd(noContext, "MULTI"))
		trace := to.Trace
		for _, e := range to.Entries {
			g.commands = append(g.commands, redis.NewStatusCmd(noContext, at.xadd(e, trace)...)) // "QUEUED"
			trace = ""
		}
		g.commands = append(g.commands, redis.NewSliceCmd(noContext, "EXEC"))
	}
}

func (a address) xadd(e event.Payload, trace string) []any {
	args := []any{"XADD", a.stream, "*", a.fieldOf(e.Kind), e.Data}
	if trace != "" {
		args = append(args, "traceparent", trace)
	}
	return args
}

// onceArgs is the call of onceScript.
func onceArgs(at address, to *event.Addition) []any {
	args := []any{"EVAL", onceScript, 2, at.stream, at.request(to.Once.Key), to.Once.Body, to.Once.Before, RequestTTL.Milliseconds(), to.Trace}
	for _, e := range to.Entries {
		args = append(args, at.fieldOf(e.Kind), e.Data, e.Events)
	}
	return args
}

// outcome reads the replies to the commands of an addition. The first error says most.
func outcome(commands []redis.Cmder, to *event.Addition) (added event.Range, err error) {
	for _, command := range commands {
		if err := command.Err(); err != nil {
			return added, appendError(err)
		}
	}
	last := commands[len(commands)-1]
	if reply, ok := last.(*redis.SliceCmd); ok && to.Once != nil {
		return onceReply(reply.Val())
	}
	for _, e := range to.Entries {
		added.Events += e.Events
	}
	added.First, added.Last, err = addedIDs(last)
	return added, err
}

// addedIDs reads the first and the last ID in the reply to a single XADD or to EXEC.
func addedIDs(reply redis.Cmder) (first, last event.ID, err error) {
	switch r := reply.(type) {
	case *redis.StringCmd:
		first, err = event.ParseID(r.Val())
		return first, first, err
	case *redis.SliceCmd:
		ids := r.Val()
		for _, id := range ids {
			if last, err = idOf(id); err != nil {
				return first, last, err
			}
		}
		if len(ids) > 0 {
			first, err = idOf(ids[0])
			return first, last, err
		}
	}
	return first, last, errProtocol
}

// idOf reads an ID of a reply, which may have an error in its place: the key is no stream.
func idOf(value any) (event.ID, error) {
	switch v := value.(type) {
	case string:
		return event.ParseID(v)
	case error:
		return event.ID{}, v
	default:
		return event.ID{}, errProtocol
	}
}

// onceReply reads the reply of onceScript.
func onceReply(reply []any) (added event.Range, err error) {
	if len(reply) != 4 {
		return added, errProtocol
	}
	same, ok := reply[0].(int64)
	events, counted := reply[1].(int64)
	switch {
	case !ok || !counted:
		return added, errProtocol
	case same == 0:
		return added, event.ErrOtherRequest
	}
	added.Events = int(events)
	if added.First, err = idOf(reply[2]); err == nil {
		added.Last, err = idOf(reply[3])
	}
	return added, err
}

// fieldOf is the field of an entry that has its events.
func (a address) fieldOf(kind event.Kind) string {
	if kind == event.Lines {
		return contract.FieldEvents
	}
	return cmp.Or(a.form.field, contract.FieldEvent)
}

// request is the key of what a request has added to the stream.
func (a address) request(key string) string {
	sum := sha256.Sum256([]byte(key))
	return a.beside + ":request:" + hex.EncodeToString(sum[:16])
}
