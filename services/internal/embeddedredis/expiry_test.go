package embeddedredis_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// remember makes a key with a time to live, as a request with an Idempotency-Key does.
const remember = "redis.call('HSET', KEYS[1], 'a', 'b'); return redis.call('PEXPIRE', KEYS[1], ARGV[1])"

// Many keys with a time to live don't slow down each command.
func TestManyKeysThatExpire(t *testing.T) {
	t.Parallel()
	_, addr := start(t, 1<<30)
	c := dial(t, addr)
	took := make([]time.Duration, 6000)
	for i := range took {
		began := time.Now()
		want(t, "set", c.do("EVAL", remember, "1", fmt.Sprint("key:", i), "86400000"), int64(1))
		took[i] = time.Since(began)
	}
	first, last := took[:1000], took[5000:]
	slices.Sort(first)
	slices.Sort(last)
	if last[500] > 3*first[500] {
		t.Errorf("with 5000 keys more, a script takes %s instead of %s", last[500], first[500])
	}
}

// A key expires when its time is over, not before it, however it was set.
func TestKeysExpire(t *testing.T) {
	t.Parallel()
	_, addr := start(t, 1<<30)
	c := dial(t, addr)
	for i := range 2000 { // so that it is seldom looked at them
		c.do("SET", fmt.Sprint("other:", i), "x", "EX", "1000")
	}
	const life = 400 * time.Millisecond
	began := time.Now()
	for _, command := range [][]string{
		{"SET", "a", "x", "PX", "400"},
		{"SET", "b", "x", "NX", "px", "400"},
		{"SET", "c", "x"},
		{"PEXPIRE", "c", "400"},
		{"EVAL", remember, "1", "d", "400"},
		{"SET", "e", "x"},
		{"EXPIRE", "e", "1"},
		{"SET", "f", "x", "EX", "1"},
	} {
		if e, failed := c.do(command...).(replyError); failed {
			t.Fatalf("%v: %s", command, e)
		}
	}
	for {
		left := c.do("EXISTS", "a", "b", "c", "d").(int64)
		passed := time.Since(began)
		if left < 4 && passed < life {
			t.Fatalf("%d of 4 are left after %s", left, passed)
		}
		if left == 0 {
			break
		}
		if passed > 20*time.Second {
			t.Fatalf("%d of 4 are still left after %s", left, passed)
		}
		time.Sleep(time.Millisecond)
	}
	if ttl := c.do("TTL", "other:0").(int64); ttl < 990 || ttl > 1000 {
		t.Errorf("the others live for %d s", ttl)
	}
	if e, failed := c.do("SET", "g", "x", "PX", "0").(replyError); !failed {
		t.Errorf("a time to live that is none: %v", e)
	}
	want(t, "one that is no number", c.do("PEXPIRE", "e", "x"), replyError("ERR value is not an integer or out of range"))
}

// Keys of other types than streams count too: a server full of them takes no further entries.
func TestKeysFillTheServer(t *testing.T) {
	t.Parallel()
	_, addr := start(t, 64<<10)
	c := dial(t, addr)
	add := func() any { return c.do("XADD", "s", "*", "event", "x") }
	if e, failed := add().(replyError); failed {
		t.Fatal(e)
	}
	for i := range 150 {
		c.do("EVAL", remember, "1", fmt.Sprint("key:", i), "4000")
	}
	refused := false
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		_, failed := add().(replyError)
		refused = refused || failed
		if refused && !failed {
			return // they have expired
		}
	}
	t.Errorf("refused: %t, and not taken again", refused)
}
