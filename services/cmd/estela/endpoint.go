package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/operation"
)

type endpointCmd struct {
	List  endpointListCmd  `cmd:"" help:"List the endpoints with their parameters."`
	New   endpointNewCmd   `cmd:"" help:"Write a SQL file for a new endpoint."`
	Check endpointCheckCmd `cmd:"" help:"Run every endpoint on its dataset's sample and check its plan."`
	Test  endpointTestCmd  `cmd:"" help:"Run the tests of endpoints, endpoints/NAME.test.json, on their dataset's sample."`
	Run   endpointRunCmd   `cmd:"" help:"Print an endpoint's response."`
}

type endpointListCmd struct {
	JSON bool `name:"json" help:"Print the document of GET /v1."`
}

// Run is 'estela endpoint list'.
func (c *endpointListCmd) Run(g *Globals, s *streams) error {
	all, err := g.load()
	if err != nil {
		return err
	}
	if c.JSON {
		document, err := api.Index(served(all))
		if err != nil {
			return err
		}
		_, err = s.out.Write(document)
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, d := range all {
		for _, e := range d.Endpoints {
			_, _ = fmt.Fprintf(w, "/v1/%s/%s\t%s\t%s\n", d.Name, e.Name, paramList(e), e.Summary)
		}
	}
	return w.Flush()
}

// endpointNames returns the names by which commands take an endpoint: NAME and DATASET/NAME.
func endpointNames(all []*dataset.Dataset) []string {
	var names []string
	for _, d := range all {
		for _, e := range d.Endpoints {
			names = append(names, e.Name, d.Name+"/"+e.Name)
		}
	}
	return names
}

// unknownEndpoint is the error of a name that no endpoint has.
func unknownEndpoint(all []*dataset.Dataset, name string) error {
	return fault.Usagef("no endpoint %q%s: estela endpoint list shows those there are", name, fault.DidYouMean(name, endpointNames(all)))
}

// paramList formats the endpoint's parameters, optional ones in brackets.
func paramList(e endpoint.Endpoint) string {
	names := make([]string, len(e.Params))
	for i, p := range e.Params {
		if names[i] = "[" + p.Name + "]"; p.Required {
			names[i] = p.Name
		}
	}
	return strings.Join(names, " ")
}

type endpointNewCmd struct {
	Name    string `arg:"" help:"Name of the endpoint: the last part of its path."`
	Dataset string `help:"Dataset it belongs to; needed where there are several."`
}

// Run is 'estela endpoint new'.
func (c *endpointNewCmd) Run(g *Globals, s *streams) error {
	if !endpoint.IsName(c.Name) {
		return fault.Usagef("%q can't be a path: lower case letters, digits, - and _, beginning with a letter", c.Name)
	}
	if len(g.Data) == 0 {
		return fault.Usagef("the built-in datasets can't be changed: give --data DIR, the folder of yours")
	}
	d, err := c.dataset(g)
	if err != nil {
		return err
	}
	if d.Dir == "" {
		return fault.Usagef("the built-in dataset %s can't be changed: copy its contract to a folder %s of yours, and give that with --data", d.Name, d.Name)
	}
	file := filepath.Join(d.Dir, "endpoints", c.Name+".sql")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // it is source code, as others may read
		return fmt.Errorf("create the folder of endpoints: %w", err)
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // it is source code, as others may read
	if errors.Is(err, os.ErrExist) {
		return fault.Usagef("%s is there already; choose another name", file)
	}
	if err != nil {
		return fmt.Errorf("write endpoint: %w", err)
	}
	_, err = out.WriteString(draft(d.Contract))
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("write endpoint: %w", err)
	}
	say(s.out, "%s\nEdit it, then: estela endpoint check --data %s", file, strings.Join(g.Data, " --data "))
	return nil
}

// dataset returns the dataset of the endpoint.
func (c *endpointNewCmd) dataset(g *Globals) (*dataset.Dataset, error) {
	all, err := g.load()
	switch {
	case err != nil:
		return nil, err
	case c.Dataset != "":
		return dataset.Pick(all, c.Dataset)
	case len(all) > 1:
		return nil, fault.Usagef("there are several datasets: name one with --dataset")
	}
	return all[0], nil
}

// draft returns the SQL of a first endpoint: the newest events, paginated. Without a time they are
// in the order of the stream.
func draft(c *contract.Contract) string {
	var columns, order, params, where []string
	for _, column := range c.Columns {
		columns = append(columns, `"`+column.Name+`"`)
	}
	if c.Time >= 0 {
		at, kind := c.Columns[c.Time], "date-time"
		if at.Type == column.Date {
			kind = "date"
		}
		params = append(params,
			"-- param: since "+kind+" -- only events at or after it\n", "-- param: until "+kind+" -- only events before it\n")
		where = append(where, fmt.Sprintf(`($since IS NULL OR "%s" >= $since)`, at.Name), fmt.Sprintf(`($until IS NULL OR "%s" < $until)`, at.Name))
		order = append(order, at.Name+" desc")
		for _, name := range c.KeyNames() {
			if name != at.Name {
				order = append(order, name+" desc")
			}
		}
	} else {
		columns = append(columns, "_stream_ms", "_stream_seq", "_line")
		order = []string{"_stream_ms desc", "_stream_seq desc", "_line desc"}
	}
	text := "-- Newest " + c.Name + ".\n-- Say here what the answer is, for those who read the documentation.\n--\n" +
		strings.Join(params, "") + "-- order: " + strings.Join(order, ", ") + "\n-- cache: 2s\nSELECT " + strings.Join(columns, ", ") + "\nFROM \"" + c.Name + "\"\n"
	if len(where) > 0 {
		text += "WHERE " + strings.Join(where, "\n  AND ") + "\n"
	}
	return text
}

type endpointCheckCmd struct{ jsonFlag }

// Run is 'estela endpoint check'.
func (c *endpointCheckCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	all, err := g.load()
	if err != nil {
		return errors.Join(err, prepareSQL(ctx, all))
	}
	if err := prepareSQL(ctx, all); err != nil {
		return err
	}
	own, end, err := g.sampled(ctx, s, all)
	defer end()
	if err != nil {
		return err
	}
	app, err := own.newAPI(ctx, asIs)
	if err != nil {
		return err
	}
	failures := 0
	for _, tried := range app.Try(ctx) {
		o := timedOutcome{outcome{Check: tried.Path, Status: passed, Found: fmt.Sprintf("%d rows", tried.Rows)}, tried.Took.Milliseconds()}
		if tried.Err != nil {
			failures++
			o.Status, o.Found = failed, tried.Err.Error()
			c.say(s.out, o, "%s  %s\n      %v", o.Status.mark(s.out), tried.Path, tried.Err)
			continue
		}
		c.say(s.out, o, "%s  %-28s %6d rows  %s", o.Status.mark(s.out), tried.Path, tried.Rows, tried.Took.Round(100*time.Microsecond))
	}
	if failures > 0 {
		return fault.Refusedf("%d endpoints failed", failures)
	}
	return nil
}

// asIs keeps the default configuration, for an API that serves this command alone.
func asIs(*api.Config) {}

// sampled opens a temporary warehouse with the samples loaded. The caller calls end, also after an
// error.
func (g *Globals) sampled(ctx context.Context, s *streams, all []*dataset.Dataset) (c *core, end func(), err error) {
	if c, end, err = g.temporary(ctx, s, all); err != nil {
		return nil, end, err
	}
	for _, d := range all {
		if err := c.loadSample(ctx, s, d); err != nil {
			return nil, end, fmt.Errorf("load sample of %s: %w", d.Name, err)
		}
	}
	return c, end, nil
}

// temporary opens a warehouse file that end removes. The caller calls end, also after an error.
func (g *Globals) temporary(ctx context.Context, s *streams, all []*dataset.Dataset) (c *core, end func(), err error) {
	var closing cleanup
	end = func() {
		if err := closing.run(); err != nil {
			say(s.err, "estela: %v", err)
		}
	}
	dir, err := os.MkdirTemp("", "estela-endpoints-")
	if err != nil {
		return nil, end, fmt.Errorf("create temporary directory: %w", err)
	}
	closing.add(func() error { return os.RemoveAll(dir) })
	own := *g
	own.Warehouse = filepath.Join(dir, "sample.duckdb")
	if c, err = newCore(ctx, &own, all, false, g.logger(s)); err != nil {
		return nil, end, err
	}
	closing.add(c.store.Close)
	return c, end, nil
}

// loadSample backfills the dataset's sample.
func (c *core) loadSample(ctx context.Context, s *streams, d *dataset.Dataset) error {
	if d.Sample == "" {
		return nil
	}
	file, remove, err := openSample(ctx, s, d)
	if err != nil {
		return err
	}
	defer remove()
	l := operation.NewLoader(d, (&onDemand{c}).Commit)
	if err := file.Each(ctx, func(one importer.Document) error { return l.Add(ctx, one) }); err != nil {
		return err
	}
	return l.Flush(ctx)
}
