package stream

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/estela-dev/estela/services/internal/event"
)

// ErrNoGroup means that a reader's group is gone: another worker took the shard
// over, or the stream was deleted. It is a [event.ErrFenced]: acquire or renew the lease
// before doing anything else.
var ErrNoGroup = fmt.Errorf("the group of this reader is gone: %w", event.ErrFenced)

// The reasons to refuse a server; see [RefusedError].
var (
	ErrPolicy  = errors.New("redis may evict streams")
	ErrVersion = errors.New("redis is too old")
)

// ErrReplicas means that fewer replicas than required acknowledged a flush. Its events are in
// the stream of the primary.
var ErrReplicas = errors.New("too few replicas have the events")

// RefusedError means that a server can't be used as it is configured.
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

// transientCodes are those of errors that a retry of the same command may not meet again:
// memory, a full disk, start-up, failover.
var transientCodes = map[string]bool{
	"OOM": true, "LOADING": true, "BUSY": true, "MISCONF": true, "READONLY": true,
	"TRYAGAIN": true, "CLUSTERDOWN": true, "MASTERDOWN": true, "NOREPLICAS": true,
}

// IsTransient reports whether a retry of what failed may succeed: the network may be back, or the server
// have memory again.
func IsTransient(err error) bool {
	if refused, ok := errors.AsType[redis.Error](err); ok {
		return ReplyError(refused.Error()).isTransient()
	}
	return !errors.Is(err, errProtocol)
}

// isTransient reports whether a retry of the transaction may succeed.
func (e ReplyError) isTransient() bool {
	if transientCodes[e.Code()] || e == "ERR max number of clients reached" {
		return true
	}
	_, cause, found := strings.Cut(string(e), "discarded because of: ")
	return e.Code() == "EXECABORT" && found && ReplyError(cause).isTransient()
}
