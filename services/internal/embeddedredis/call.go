package embeddedredis

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/estela-dev/estela/services/internal/event"
)

// The errors of redis-server 7.0.
const (
	errSyntax    = "ERR syntax error"
	errID        = "ERR Invalid stream ID specified as stream command argument"
	errInteger   = "ERR value is not an integer or out of range"
	errWrongType = "WRONGTYPE Operation against a key holding the wrong kind of value"
	errNoKey     = "ERR no such key"
	errOOM       = "OOM command not allowed when used memory > 'maxmemory'."
)

var maxID = event.ID{MS: math.MaxUint64, Seq: math.MaxUint64}

// call is one command while it runs, and its reply.
type call struct {
	args []string // the first is the command's name
	out  []byte
	// peer is the connection, or a script, as miniredis knows it.
	peer *server.Peer
	// waits is true if there is nothing to read yet and the command is to be run again when there may be,
	// within block; 0: whenever.
	waits bool
	block time.Duration
}

func (c *call) fail(text string) { c.out = append(append(append(c.out, '-'), text...), '\r', '\n') }
func (c *call) ok()              { c.out = append(c.out, "+OK\r\n"...) }
func (c *call) integer(n int64)  { c.out = appendHeader(c.out, ':', int(n)) }
func (c *call) array(n int)      { c.out = appendHeader(c.out, '*', n) }
func (c *call) bulk(s string)    { c.out = appendBulk(c.out, s) }
func (c *call) id(id event.ID)   { c.out = appendID(c.out, id) }
func (c *call) wrongNumber()     { c.fail(wrongNumber(c.args[0])) }

// name is the command's, in upper case.
func (c *call) name() string { return strings.ToUpper(c.args[0]) }

func (c *call) is(i int, word string) bool {
	return i < len(c.args) && strings.EqualFold(c.args[i], word)
}

func (c *call) null() {
	if c.peer.Resp3 {
		c.out = append(c.out, "_\r\n"...)
		return
	}
	c.out = append(c.out, "$-1\r\n"...)
}

func (c *call) nullArray() {
	if c.peer.Resp3 {
		c.null()
		return
	}
	c.out = append(c.out, "*-1\r\n"...)
}

// dict begins n pairs.
func (c *call) dict(n int) {
	if c.peer.Resp3 {
		c.out = appendHeader(c.out, '%', n)
		return
	}
	c.array(2 * n)
}

// parseID parses an ID, whose second half is missing if it is left out.
func (c *call) parseID(text string, missing uint64) (event.ID, bool) {
	id, err := event.ParseID(text)
	if err != nil {
		c.fail(errID)
		return id, false
	}
	if !strings.Contains(text, "-") {
		id.Seq = missing
	}
	return id, true
}

func (c *call) parseInt(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		c.fail(errInteger)
	}
	return n, err == nil
}

// parseBound parses one end of a range; both ends are included.
func (c *call) parseBound(text string, end bool) (event.ID, bool) {
	missing := uint64(0)
	if end {
		missing = math.MaxUint64
	}
	if text == "-" {
		return event.ID{}, true
	}
	if text == "+" {
		return maxID, true
	}
	text, exclusive := strings.CutPrefix(text, "(")
	id, ok := c.parseID(text, missing)
	if !ok || !exclusive {
		return id, ok
	}
	switch {
	case end && id.IsZero():
		c.fail("ERR invalid end ID for the interval")
		return id, false
	case end:
		return previous(id), true
	case id == maxID:
		c.fail("ERR invalid start ID for the interval")
		return id, false
	default:
		return next(id), true
	}
}

func next(id event.ID) event.ID {
	if id.Seq++; id.Seq == 0 {
		id.MS++
	}
	return id
}

func previous(id event.ID) event.ID {
	if id.Seq--; id.Seq == math.MaxUint64 {
		id.MS--
	}
	return id
}

func wrongNumber(name string) string {
	return "ERR wrong number of arguments for '" + strings.ToLower(name) + "' command"
}

func unsupported(name string) string {
	return fmt.Sprintf("ERR unknown command '%s': the embedded Redis has what a pipeline uses only; install redis-server for the rest", name)
}
