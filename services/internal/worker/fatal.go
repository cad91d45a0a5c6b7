package worker

import (
	"errors"
	"log/slog"

	"github.com/estela-dev/estela/services/internal/event"
)

// otherWarehouseTries is how many attempts to acquire the lease must find the shard claimed by
// another warehouse before that is fatal: a process that fails at its start claims some shards
// and rolls that back at once.
const otherWarehouseTries = 3

// isFatal reports whether the error stops the shard for good: continuing would lose or scatter
// events, and a retry changes nothing.
func (s *shard) isFatal(err error) bool {
	if _, ok := errors.AsType[*LossError](err); ok {
		return true
	}
	if !isOtherWarehouse(err) {
		s.otherWarehouse = 0
		return false
	}
	s.otherWarehouse++
	return s.otherWarehouse >= otherWarehouseTries
}

func isOtherWarehouse(err error) bool {
	_, ok := errors.AsType[*event.OtherWarehouseError](err)
	return ok
}

// fail stops the shard for good.
func (s *shard) fail(err error) {
	s.setStatus(err.Error())
	s.log.Error("shard stopped, not retrying", slog.Any("error", err))
	s.failure = err
	close(s.failed)
}
