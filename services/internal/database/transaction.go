package database

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Transaction runs fn between BEGIN and COMMIT, or rolls back. The end of ctx
// interrupts fn but none of these, whose outcome must be known.
func Transaction(ctx context.Context, conn *Conn, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	lasting := context.WithoutCancel(ctx)
	if err := ExecAll(lasting, conn, "BEGIN"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(); err != nil {
		return rolledBack(lasting, conn, err)
	}
	if err := ExecAll(lasting, conn, "COMMIT"); err != nil {
		return rolledBack(lasting, conn, fmt.Errorf("commit: %w", err))
	}
	return nil
}

// rolledBack ends the transaction and returns err. After a failed COMMIT there may
// be none left, which is no fault.
func rolledBack(ctx context.Context, conn *Conn, err error) error {
	rollback := ExecAll(ctx, conn, "ROLLBACK")
	if isFatal(rollback) {
		return errors.Join(err, rollback)
	}
	return err
}

// RetryConflicts retries fn with backoff while another transaction is in its way, for about
// a second.
func RetryConflicts(ctx context.Context, fn func() error) error {
	for wait := 4 * time.Millisecond; ; wait *= 2 {
		err := fn()
		if !IsConflict(err) || wait > 500*time.Millisecond {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}
