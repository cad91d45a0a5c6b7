// Package intake validates rows by a contract, reports invalid ones, and publishes the others at a
// rate.
package intake

import (
	"fmt"
	"io"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/importer"
)

// Checker validates rows by a contract.
type Checker struct {
	Dataset  *dataset.Dataset
	Invalid  *InvalidRows
	Progress *Progress
	// Report receives warnings and summaries, as text.
	Report io.Writer
	// Skip is how many more events to skip.
	Skip int64

	decoder *contract.Decoder
	batch   *contract.Batch // of the last row
	seen    int64           // rows
}

// NewChecker returns a Checker that counts invalid rows.
func NewChecker(d *dataset.Dataset, progress *Progress, report io.Writer) *Checker {
	c := &Checker{Dataset: d, Invalid: NewInvalidRows(), Progress: progress, Report: report, decoder: d.NewDecoder(), batch: d.NewBatch(0, 1)}
	c.decoder.OnUnnamed(c.warnUnknown(map[string]bool{}))
	return c
}

// warnUnknown returns a function that warns of a property without a column, once each, at most 20.
func (c *Checker) warnUnknown(warned map[string]bool) func(name []byte) {
	const most = 20
	return func(name []byte) {
		if len(warned) >= most || c.Dataset.Shape().Closed() || warned[string(name)] {
			return
		}
		warned[string(name)] = true
		suggestion := c.Dataset.Shape().Nearly(string(name))
		if suggestion != "" {
			suggestion = fmt.Sprintf(", which has %q,", suggestion)
		}
		say(c.Report, "%s: property %q is not in the contract%s and no column stores it", c.Dataset.Name, name, suggestion)
	}
}

// Event reports whether the row is a valid event to process. An invalid one is counted by reason.
func (c *Checker) Event(r importer.Document) (bool, error) {
	c.batch.Reset()
	c.seen++
	if r.Problem == nil && c.decoder.Decode(c.batch, r.JSON, event.ID{}, 0) {
		if c.Skip > 0 {
			c.Skip--
			return false, nil
		}
		return true, nil
	}
	var violations []event.Violation
	if r.Problem == nil {
		violations = c.batch.Rejects[0].Violations
	}
	c.Progress.addInvalid()
	return false, c.Invalid.add(r, violations)
}

// Finish reports how many events had the outcome, and the invalid rows.
func (c *Checker) Finish(outcome string) error {
	c.Progress.Finish(outcome)
	return c.Invalid.Close(c.Report)
}

// Complete fails if the file had no row or had invalid ones. name is the file's, done the outcome of
// the others.
func (c *Checker) Complete(name, done string) error {
	switch {
	case c.seen == 0:
		return fmt.Errorf("%s has no row: nothing was %s", name, done)
	case c.Skip > 0:
		return fmt.Errorf("%s has %d events fewer than --skip skips: nothing was %s", name, c.Skip, done)
	case c.Invalid.Rows > 0:
		return fmt.Errorf("%d of %d rows are invalid as events of %s and were not %s", c.Invalid.Rows, c.seen, c.Dataset.Name, done)
	}
	return nil
}
