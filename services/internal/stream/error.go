package stream

import (
	"errors"
	"fmt"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
)

// ErrNoGroup says that a reader's group is gone: another worker took the shard
// over, or the stream was deleted. It is a [contract.ErrFenced]: acquire or renew the lease
// before doing anything else.
var ErrNoGroup = fmt.Errorf("the group of this reader is gone: %w", contract.ErrFenced)

// The reasons to refuse a server; see [RefusedError].
var (
	ErrPolicy  = errors.New("redis may evict streams")
	ErrVersion = errors.New("redis is too old")
)

// ErrReplicas says that fewer replicas than asked for confirmed a flush. Its
// events are in the stream of the server that took them.
var ErrReplicas = errors.New("too few replicas have the events")

// RefusedError says that a server may not be used as it is set up.
type RefusedError struct {
	// Reason is what was found.
	Reason string
	// Hint is what to do about it.
	Hint string
	// Err is ErrPolicy or ErrVersion.
	Err error
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%v: %s; %s", e.Err, e.Reason, e.Hint)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// ReplyError is an error that the server answered, such as "WRONGTYPE …".
type ReplyError string

func (e ReplyError) Error() string { return "redis: " + string(e) }

// Code is the reply's first word.
func (e ReplyError) Code() string {
	code, _, _ := strings.Cut(string(e), " ")
	return code
}

// passing are the codes of errors that go away without anyone changing the
// command: memory, a full disk, start-up, failover.
var passing = map[string]bool{
	"OOM": true, "LOADING": true, "BUSY": true, "MISCONF": true, "READONLY": true,
	"TRYAGAIN": true, "CLUSTERDOWN": true, "MASTERDOWN": true, "NOREPLICAS": true,
}

// isPassing reports whether the refusal of a transaction may end by itself.
func (e ReplyError) isPassing() bool {
	if passing[e.Code()] || e == "ERR max number of clients reached" {
		return true
	}
	_, cause, found := strings.Cut(string(e), "discarded because of: ")
	return e.Code() == "EXECABORT" && found && ReplyError(cause).isPassing()
}
