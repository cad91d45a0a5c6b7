package main

import (
	"context"
	"time"
)

// pace spreads events over time.
type pace struct {
	rate  int
	begun time.Time
	sent  int
}

// paceStep is the least time that is worth sleeping.
const paceStep = 5 * time.Millisecond

// wait returns when the next event is due.
func (p *pace) wait(ctx context.Context) error {
	if p.rate <= 0 {
		return ctx.Err()
	}
	if p.begun.IsZero() {
		p.begun = time.Now()
	}
	due := p.begun.Add(time.Duration(p.sent) * time.Second / time.Duration(p.rate))
	p.sent++
	if early := time.Until(due); early > paceStep {
		select {
		case <-time.After(early):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}
