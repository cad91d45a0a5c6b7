package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 10 * time.Second
)

// transientError is one that a retry may not meet again.
type transientError struct {
	error

	// after is the earliest time of the retry.
	after time.Duration
}

func (e *transientError) Unwrap() error { return e.error }

// connectionError is the error of a request that got no answer, or not all of it. A certificate that isn't trusted
// is not trusted later.
func connectionError(err error) error {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return err
	}
	return &transientError{error: err}
}

// retry calls try until it succeeds, fails with an error that is not transient, or ctx ends, and at most for the
// patience if that is not 0. Waits grow exponentially with full jitter, so that many clients don't come back at once:
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func retry(ctx context.Context, patience time.Duration, onRetry func(error, time.Duration), try func(context.Context) error) error {
	started := time.Now()
	for backoff := minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		err := try(ctx)
		transient, ok := errors.AsType[*transientError](err)
		if !ok {
			return err
		}
		wait := transient.after + rand.N(backoff) //nolint:gosec // G404: it spreads retries and guards no secret
		switch {
		case ctx.Err() != nil:
			return interrupted(ctx, transient.error)
		case patience != 0 && time.Since(started)+wait > patience:
			return transient.error
		}
		if onRetry != nil {
			onRetry(transient.error, wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return interrupted(ctx, transient.error)
		}
	}
}

// interrupted is the error of a request whose context ended amid retries.
func interrupted(ctx context.Context, last error) error {
	if errors.Is(last, context.Cause(ctx)) {
		return last
	}
	return fmt.Errorf("%w; the last attempt: %w", context.Cause(ctx), last)
}
