package worker

import (
	"errors"
	"log/slog"

	"github.com/estela-dev/estela/services/internal/contract"
)

// otherTries is how often a shard is asked for before it is taken to be another warehouse's:
// a process of that one that is being refused at its start notes some shards and takes that
// back at once.
const otherTries = 3

// refuses reports whether the error ends the shard for good: going on would lose or scatter
// events, and waiting changes nothing.
func (s *shard) refuses(err error) bool {
	if _, ok := errors.AsType[*LossError](err); ok {
		return true
	}
	if !isOther(err) {
		s.others = 0
		return false
	}
	s.others++
	return s.others >= otherTries
}

func isOther(err error) bool {
	_, ok := errors.AsType[*contract.OtherWarehouseError](err)
	return ok
}

// refuse ends the shard.
func (s *shard) refuse(err error) {
	s.setStatus(err.Error())
	s.log.Error("refusing to go on", slog.Any("error", err))
	s.refusal = err
	close(s.refused)
}
