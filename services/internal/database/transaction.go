package database

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Transaction runs fn between BEGIN and COMMIT, or rolls back. The end of ctx interrupts fn, but not BEGIN,
// COMMIT and ROLLBACK, whose outcome must be known.
func Transaction(ctx context.Context, conn *Conn, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	uncancelled := context.WithoutCancel(ctx)
	if err := ExecAll(uncancelled, conn, "BEGIN"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(); err != nil {
		return rollback(uncancelled, conn, err)
	}
	if err := ExecAll(uncancelled, conn, "COMMIT"); err != nil {
		return rollback(uncancelled, conn, fmt.Errorf("commit: %w", err))
	}
	return nil
}

// rollback rolls back and returns err. Its own errors are ignored unless fatal: after a failed COMMIT there
// may be no transaction.
func rollback(ctx context.Context, conn *Conn, err error) error {
	failed := ExecAll(ctx, conn, "ROLLBACK")
	if isFatal(failed) {
		return errors.Join(err, failed)
	}
	return err
}

// RetryConflicts retries fn with backoff while it conflicts with another transaction, for about a second.
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
