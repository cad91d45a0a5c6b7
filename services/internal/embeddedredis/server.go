package embeddedredis

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"github.com/estela-dev/estela/services/internal/event"
)

// maxScratch is more than most replies to a worker's read have.
const maxScratch = 4 << 20

// delegated are the commands that miniredis runs. Those that block or push are not among them: they would hold
// the lock.
var delegated = makeSet(
	"AUTH", "CLIENT", "DBSIZE", "DECR", "DECRBY", "DEL", "ECHO", "EVAL", "EVALSHA", "EXISTS", "EXPIRE", "EXPIREAT", "FLUSHALL", "FLUSHDB",
	"GET", "HDEL", "HELLO", "HEXISTS", "HGET", "HGETALL", "HINCRBY", "HKEYS", "HLEN", "HMGET", "HMSET", "HSET", "HSETNX", "HVALS",
	"INCR", "INCRBY", "KEYS", "LLEN", "LPUSH", "LRANGE", "MGET", "MSET", "PERSIST", "PEXPIRE", "PEXPIREAT", "PING", "PTTL", "SCAN", "SCRIPT", "SET", "SETNX",
	"TTL", "TYPE", "UNLINK", "WAIT",
	"ZADD", "ZCARD", "ZRANGE", "ZRANGEBYSCORE", "ZREM", "ZREMRANGEBYSCORE", "ZSCORE",
)

func makeSet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// Server is a Redis in this process.
type Server struct {
	listener  net.Listener
	maxMemory int
	runID     string
	mini      *miniredis.Miniredis
	idle      net.Conn // a connection to mini is what starts it without a port
	running   sync.WaitGroup

	mu      sync.Mutex
	streams map[string]*stream
	used    int // bytes, of all streams and, by their number, of the keys of other types
	keys    int // when they were counted last
	// tickAt is when keys are looked at next, to see which have expired.
	tickAt time.Time
	// changes counts commands that may have removed the name of a stream.
	changes uint64
	// notify is true if a command may have ended the wait of another connection.
	notify bool
	// allowOOM is true in a script or transaction that may grow a stream above maxMemory.
	allowOOM, sealed, closed bool
	// passing is true while the command that miniredis runs is not to be looked at.
	passing bool
	inner   bytes.Buffer
	innerTo *bufio.Writer
	// scratch is where entries are collected before how many they are is written.
	scratch []byte
	conns   map[*conn]bool
	waiting map[*conn]bool
}

// Serve answers on the listener until Close. MaxMemory is how many bytes all streams may have together.
func Serve(l net.Listener, maxMemory int) (*Server, error) {
	s := &Server{
		listener: l, maxMemory: maxMemory, runID: event.EmbeddedRunID + rand.Text(), mini: miniredis.NewMiniRedis(),
		streams: map[string]*stream{}, conns: map[*conn]bool{}, waiting: map[*conn]bool{},
	}
	s.innerTo = bufio.NewWriterSize(&s.inner, 64)
	idle, err := s.mini.Dial()
	if err != nil {
		return nil, fmt.Errorf("start miniredis: %w", err)
	}
	s.idle = idle
	s.mini.ClockTTL(true)
	s.mini.Server().SetPreHook(s.hook)
	s.running.Go(s.accept)
	return s, nil
}

func (s *Server) accept() {
	for {
		raw, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no more files can be opened for now
			time.Sleep(10 * time.Millisecond)
			continue
		}
		c := newConn(s, raw)
		s.mu.Lock()
		if s.closed {
			_ = raw.Close()
		}
		s.conns[c] = true
		s.mu.Unlock()
		s.running.Go(func() {
			c.serve()
			_ = raw.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// Seal refuses every further XADD, so that what was accepted can be read and stored before Close: producers
// wait, and find no server in the end.
func (s *Server) Seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
}

// Close ends every connection and forgets all.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	_ = s.listener.Close()
	s.running.Wait()
	_ = s.idle.Close()
	s.mini.Close()
}

// run runs one command; the lock is held.
func (s *Server) run(c *call) {
	if refusal := s.refuse(c); refusal != "" {
		c.fail(refusal)
		return
	}
	if own, ok := commands[c.name()]; ok {
		own.run(s, c)
		return
	}
	if c.is(0, "EVAL") && len(c.args) > 1 {
		defer s.withFlags(c)()
	}
	s.mini.Server().Dispatch(c.peer, c.args)
	c.peer.Flush()
	s.notify = true
}

// refuse returns the error that a command fails with whatever its other arguments are; "" for none.
func (s *Server) refuse(c *call) string {
	name := c.name()
	own, ok := commands[name]
	switch {
	case !ok && !delegated[name]:
		return unsupported(c.args[0])
	case len(c.args) < own.fewest:
		return wrongNumber(c.args[0])
	case own.grows && !s.allowOOM:
		return s.full(c.peer)
	}
	return ""
}

// full returns the error of a command that would grow a stream, "" if it may.
func (s *Server) full(peer *server.Peer) string {
	if s.sealed {
		return "BUSY the embedded Redis is stopping: it stores what it has"
	}
	if s.used > s.maxMemory {
		for key := range s.streams { // some may have been deleted
			s.find(peer, key)
		}
	}
	if s.used > s.maxMemory {
		return errOOM
	}
	return ""
}

// withFlags takes the first line of a script, with its flags, from the arguments: miniredis has no flags.
func (s *Server) withFlags(c *call) (restore func()) {
	flags, script, ok := strings.Cut(c.args[1], "\n")
	if !ok || !strings.HasPrefix(flags, "#!lua") {
		return func() {}
	}
	before := s.allowOOM
	s.allowOOM = before || strings.Contains(flags, "allow-oom")
	c.args = slices.Clone(c.args)
	c.args[1] = script
	return func() { s.allowOOM = before }
}

// hook sees each command that miniredis is to run, and runs those of this package's own, which come from scripts.
func (s *Server) hook(peer *server.Peer, name string, args ...string) (done bool) {
	if s.passing {
		return false
	}
	if delegated[name] {
		s.changes++
		if command := absolute(name, args, time.Now()); command != nil {
			peer.WriteRaw(s.pass(peer, command...))
			return true
		}
		return false
	}
	c := &call{args: slices.Concat([]string{name}, args), peer: peer}
	s.run(c)
	peer.WriteRaw(string(c.out))
	return true
}

// pass lets miniredis run a command as the peer, in a script if that is one, and returns the reply.
func (s *Server) pass(peer *server.Peer, args ...string) string {
	as := server.NewPeer(s.innerTo)
	as.Ctx = peer.Ctx
	s.inner.Reset()
	s.passing = true
	s.mini.Server().Dispatch(as, args)
	s.passing = false
	as.Flush()
	return s.inner.String()
}

// lookup returns the stream of the name, nil if there is none. If the name has another type, the call fails.
func (s *Server) lookup(c *call, key string) (st *stream, ok bool) {
	st, other := s.find(c.peer, key)
	if other {
		c.fail(errWrongType)
	}
	return st, !other
}

func (s *Server) find(peer *server.Peer, key string) (st *stream, otherType bool) {
	st = s.streams[key]
	if st != nil && st.seen == s.changes {
		return st, false
	}
	kind := s.pass(peer, "TYPE", key)
	if st != nil && kind != "+stream\r\n" {
		s.used -= st.bytes
		delete(s.streams, key)
		st = nil
	}
	if st != nil {
		st.seen = s.changes
	}
	return st, kind != "+stream\r\n" && kind != "+none\r\n"
}

// create makes an empty stream of a name that is free, and takes the name in miniredis.
func (s *Server) create(c *call, key string) *stream {
	s.pass(c.peer, "XGROUP", "CREATE", key, "-", "0", "MKSTREAM")
	st := &stream{groups: map[string]*group{}, seen: s.changes}
	s.streams[key] = st
	return st
}

// keepScratch keeps a buffer for the next reply, unless it is large.
func (s *Server) keepScratch(buf []byte) {
	if cap(buf) <= maxScratch {
		s.scratch = buf[:0]
	}
}

// account counts the bytes by which a change grows or shrinks a stream.
func (s *Server) account(st *stream, change func()) {
	before := st.bytes
	change()
	s.used += st.bytes - before
}

// wake lets the connections that wait for entries look again.
func (s *Server) wake() {
	if !s.notify {
		return
	}
	s.notify = false
	for c := range s.waiting {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

// info is INFO, whatever the section.
func (s *Server) info(c *call) {
	var b strings.Builder
	line := func(name string, value any) { fmt.Fprintf(&b, "%s:%v\r\n", name, value) }
	b.WriteString("# Server\r\n")
	line("redis_version", "7.0.0")
	line("redis_mode", "standalone")
	line("run_id", s.runID)
	b.WriteString("\r\n# Clients\r\n")
	line("connected_clients", len(s.conns))
	b.WriteString("\r\n# Memory\r\n")
	line("used_memory", s.used)
	line("maxmemory", s.maxMemory)
	line("maxmemory_policy", "noeviction")
	b.WriteString("\r\n# Persistence\r\n")
	line("loading", 0)
	line("aof_enabled", 0)
	b.WriteString("\r\n# Replication\r\n")
	line("role", "master")
	c.bulk(b.String())
}

func (s *Server) selectDB(c *call) {
	if c.args[1] != "0" {
		c.fail("ERR DB index is out of range")
		return
	}
	c.ok()
}
