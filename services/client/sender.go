package client

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Unpublished is an event that was not published, and why.
type Unpublished struct {
	Event []byte
	// Err is an *InvalidError; or what the server refuses it with; or what ended the publisher.
	Err error
}

// InvalidError means that an event breaks its dataset's contract.
type InvalidError struct {
	// Violations are what is wrong with it, the first ten at most. Their Line is 0.
	Violations []Violation
}

func (e *InvalidError) Error() string {
	all := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		all[i] = strings.TrimPrefix(v.Pointer+" "+v.Detail, " ")
	}
	return "the event is invalid: " + strings.Join(all, "; ")
}

// PublishError means that a publisher has ended and left events.
type PublishError struct {
	// Err is why it ended.
	Err error
	// Events are those that were not published, in the order of Publish. If Err is a context's error, or the network's, the
	// first batch of them may be published all the same: its answer is not known.
	Events []Unpublished
}

func (e *PublishError) Error() string {
	return fmt.Sprintf("%d events are not known to be published: %v", len(e.Events), e.Err)
}

func (e *PublishError) Unwrap() error { return e.Err }

// invalidEventsError are the errors of a batch's events, by index: none of the batch is published.
type invalidEventsError map[int]error

func (e invalidEventsError) Error() string {
	return fmt.Sprintf("%d events of the batch are invalid", len(e))
}

// maxViolations are as many as a server lists of one event.
const maxViolations = 10

// add adds a violation by the event.
func (e invalidEventsError) add(index int, v Violation) {
	one, ok := e[index].(*InvalidError) //nolint:errorlint // it is not wrapped
	if !ok {
		one = &InvalidError{}
		e[index] = one
	}
	if len(one.Violations) < maxViolations {
		one.Violations = append(one.Violations, v)
	}
}

// sendAll sends one batch after the other, until one can't be sent or the publisher's context ends.
func (p *Publisher) sendAll() {
	defer close(p.sent)
	for {
		select {
		case b := <-p.batches:
			if p.cause = p.deliver(b.events); p.cause != nil {
				return
			}
			for _, flushed := range b.flushed {
				close(flushed)
			}
		case <-p.ctx.Done():
			return
		}
	}
}

// deliver publishes the events. What is left after an error that ends the publisher is in p.unsent.
func (p *Publisher) deliver(events [][]byte) error {
	for parts := [][][]byte{events}; len(parts) > 0; {
		part := parts[0]
		if len(part) == 0 {
			parts = parts[1:]
			continue
		}
		err := retry(p.ctx, 0, p.cfg.OnRetry, p.send(part))
		refused := refusedEvents(err, len(part))
		switch {
		case err == nil:
			parts = parts[1:]
		case isTooLarge(err) && len(part) > 1:
			half := len(part) / 2
			parts = slices.Concat([][][]byte{part[:half], part[half:]}, parts[1:])
		case len(refused) > 0 && p.cfg.OnInvalid != nil:
			parts[0] = p.setAside(part, refused)
		default:
			return p.leave(slices.Concat(parts...), refused, err)
		}
	}
	return nil
}

// setAside hands the refused events back and returns the others.
func (p *Publisher) setAside(events [][]byte, refused invalidEventsError) (rest [][]byte) {
	for i, event := range events {
		if err := refused[i]; err != nil {
			p.cfg.OnInvalid(Unpublished{event, err})
		} else {
			rest = append(rest, event)
		}
	}
	return rest
}

// leave keeps the events, of which the first ones may be refused, and returns why.
func (p *Publisher) leave(events [][]byte, refused invalidEventsError, err error) error {
	for i := range events { // the first reason says most
		if why := refused[i]; why != nil {
			err = why
			break
		}
	}
	for i, event := range events {
		why := err
		if own := refused[i]; own != nil {
			why = own
		}
		p.unsent = append(p.unsent, Unpublished{event, why})
	}
	return err
}

// refusedEvents are the errors of the events that the error refuses.
func refusedEvents(err error, events int) invalidEventsError {
	if isTooLarge(err) && events == 1 {
		return invalidEventsError{0: err}
	}
	refused, _ := errors.AsType[invalidEventsError](err)
	return refused
}

// isTooLarge reports whether the server refuses the request for its size.
func isTooLarge(err error) bool {
	problem, ok := errors.AsType[*Problem](err)
	return ok && problem.Status == http.StatusRequestEntityTooLarge
}
