package embeddedredis

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2/server"
)

const (
	// tickEvery is how often keys are looked at that may have expired, unless there are many.
	tickEvery = 10 * time.Millisecond
	// tickShare bounds what that takes: one part of so many of the time.
	tickShare = 20
	// keyBytes is about what a hash of a few fields takes in miniredis.
	keyBytes = 1 << 10
)

// tick lets keys expire and counts those that are left. miniredis looks at all of them whenever its clock has moved, and
// without that at each command: so its clock moves here. A key may expire late, and never early: see absolute.
func (s *Server) tick(peer *server.Peer) {
	now := time.Now()
	if now.Before(s.tickAt) {
		return
	}
	s.mini.SetTime(now)
	reply := s.pass(peer, "DBSIZE")
	if keys, err := strconv.Atoi(strings.Trim(reply, ":\r\n")); err == nil {
		s.used += keyBytes * (keys - s.keys)
		s.keys = keys
	}
	s.tickAt = now.Add(max(tickEvery, tickShare*time.Since(now)))
}

// absolute returns a command that sets a time to live with the time of its end instead, for miniredis' clock is behind;
// nil for any other.
func absolute(name string, args []string, now time.Time) []string {
	place, unit := 0, time.Duration(0)
	switch name {
	case "EXPIRE":
		place, unit = 1, time.Second
	case "PEXPIRE":
		place, unit = 1, time.Millisecond
	case "SET":
		for i := 2; i < len(args); i++ {
			switch strings.ToUpper(args[i]) {
			case "EX":
				place, unit = i+1, time.Second
			case "PX":
				place, unit = i+1, time.Millisecond
			}
		}
	}
	if place == 0 || place >= len(args) {
		return nil
	}
	n, err := strconv.ParseInt(args[place], 10, 64)
	if err != nil || n <= 0 || n > int64(math.MaxInt64/2/unit) {
		return nil // miniredis has the error
	}
	command := append([]string{name}, args...)
	command[place+1] = strconv.FormatInt(now.Add(time.Duration(n)*unit).UnixMilli(), 10)
	if name == "SET" {
		command[place] = "PXAT"
	} else {
		command[0] = "PEXPIREAT"
	}
	return command
}

// time is TIME.
func (s *Server) time(c *call) {
	now := time.Now()
	c.array(2)
	c.bulk(strconv.FormatInt(now.Unix(), 10))
	c.bulk(strconv.Itoa(now.Nanosecond() / 1000))
}
