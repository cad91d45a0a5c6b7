// Package intake takes rows in as events: checks each by the contract, reports those that are
// none, and publishes the others at a rate.
package intake

import (
	"fmt"
	"io"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/importer"
)

// Checker checks rows by a contract.
type Checker struct {
	Dataset  *dataset.Dataset
	Invalid  *InvalidRows
	Progress *Progress
	// Report is where people read what is remarkable.
	Report io.Writer
	// Skip is how many events are still to be passed over.
	Skip int64

	decoder *contract.Decoder
	batch   *contract.Batch // of the last row
	seen    int64           // rows
}

// NewChecker makes one that counts refusals.
func NewChecker(d *dataset.Dataset, progress *Progress, report io.Writer) *Checker {
	c := &Checker{Dataset: d, Invalid: NewInvalidRows(), Progress: progress, Report: report, decoder: d.NewDecoder(), batch: d.NewBatch(0, 1)}
	c.decoder.OnUnnamed(c.warnUnknown(map[string]bool{}))
	return c
}

// warnUnknown warns of a property that no column stores, once each, of 20 at most.
func (c *Checker) warnUnknown(warned map[string]bool) func(name []byte) {
	const most = 20
	return func(name []byte) {
		if len(warned) >= most || c.Dataset.Shape().Closed() || warned[string(name)] {
			return
		}
		warned[string(name)] = true
		meant := c.Dataset.Shape().Nearly(string(name))
		if meant != "" {
			meant = fmt.Sprintf(", which has %q,", meant)
		}
		say(c.Report, "%s: property %q is not in the contract%s and no column stores it", c.Dataset.Name, name, meant)
	}
}

// Event reports whether the row is an event to process; if it is none, it is counted with its
// reason.
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

// Finish reports how many are so, and those that are no events.
func (c *Checker) Finish(so string) error {
	c.Progress.Finish(so)
	return c.Invalid.Close(c.Report)
}

// Complete is an error if the file had no row, or rows that are no events. name is the file's,
// done what became of the others.
func (c *Checker) Complete(name, done string) error {
	switch {
	case c.seen == 0:
		return fmt.Errorf("%s has no row: nothing was %s", name, done)
	case c.Skip > 0:
		return fmt.Errorf("%s has %d events fewer than --skip skips: nothing was %s", name, c.Skip, done)
	case c.Invalid.Rows > 0:
		return fmt.Errorf("%d of %d rows are no events of %s and were not %s", c.Invalid.Rows, c.seen, c.Dataset.Name, done)
	}
	return nil
}
