package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/estela-dev/estela/services/internal/client"
	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/result"
)

type clientCmd struct {
	Dataset []string `arg:"" optional:"" help:"Datasets whose endpoints the client asks. Default: all."`
	Lang    string   `help:"Language (${enum})." enum:"typescript,go,python" required:""`
	Output  string   `short:"o" help:"File to write, such as client.ts; a client in it is replaced. Default: standard output." placeholder:"FILE"`
}

// Run is 'estela client'.
func (c *clientCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	all, err := g.load()
	if err != nil {
		return err
	}
	chosen := all
	if len(c.Dataset) > 0 {
		chosen = nil
	}
	for _, name := range c.Dataset {
		d, err := dataset.Pick(all, name)
		if err != nil {
			return err
		}
		chosen = append(chosen, d)
	}
	endpoints, err := g.clientEndpoints(ctx, s, all, chosen)
	if err != nil {
		return err
	}
	text, err := client.Generate(c.Lang, endpoints)
	if err != nil {
		return err
	}
	if c.Output == "" {
		_, err = s.out.Write(text)
		return err
	}
	return c.write(s, text)
}

// write replaces the file, unless it is another's.
func (c *clientCmd) write(s *streams, text []byte) error {
	old, err := os.ReadFile(c.Output)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write client: %w", err)
	case err == nil && len(old) > 0 && !bytes.Contains(old, []byte(client.Mark)):
		return fault.Usagef("%s is there already and is no client: choose another name", c.Output)
	}
	if err := os.WriteFile(c.Output, text, 0o644); err != nil { //nolint:gosec // it is source code, as others may read
		return fmt.Errorf("write client: %w", err)
	}
	say(s.err, "wrote %s", c.Output)
	return nil
}

// clientEndpoints describes the endpoints of the chosen datasets, in a temporary warehouse without rows.
func (g *Globals) clientEndpoints(ctx context.Context, s *streams, all, chosen []*dataset.Dataset) ([]client.Endpoint, error) {
	own, end, err := g.temporary(ctx, s, all)
	defer end()
	if err != nil {
		return nil, err
	}
	checker := endpoint.NewChecker(own.store, served(all))
	var endpoints []client.Endpoint
	var faults []error
	for _, d := range chosen {
		for i := range d.Endpoints {
			columns, err := own.answerColumns(ctx, checker, d, &d.Endpoints[i])
			faults = append(faults, err)
			endpoints = append(endpoints, client.Endpoint{Endpoint: d.Endpoints[i], Dataset: d.Name, Columns: columns})
		}
	}
	if len(endpoints) == 0 {
		faults = append(faults, fault.Usagef("no endpoint: put one into the folder endpoints of a dataset, as 'estela endpoint new NAME' does"))
	}
	return endpoints, errors.Join(faults...)
}

// answerColumns returns the columns of an endpoint's answer, with the types that are encoded.
func (c *core) answerColumns(ctx context.Context, checker *endpoint.Checker, d *dataset.Dataset, e *endpoint.Endpoint) ([]client.Column, error) {
	shape, err := checker.Shape(ctx, d.Name, e)
	if err != nil {
		return nil, err
	}
	query, _ := e.Query(shape, endpoint.Page{})
	var types []result.Type
	err = c.store.Stream(ctx, query, e.Defaults(), func(_ result.Snapshot, rows result.Rows) error {
		typed, ok := rows.(result.Typed)
		if !ok {
			return errors.New("the rows do not know their types")
		}
		types = typed.Types()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("describe endpoint %s/%s: %w", d.Name, e.Name, err)
	}
	columns := make([]client.Column, len(shape.Columns))
	for i, described := range shape.Columns {
		columns[i] = client.Column{Column: described, Type: types[i]}
		if described.Type == "BIGNUM" { // read as JSON, which has every digit too
			columns[i].Type = result.Type{Kind: column.HugeInt}
		}
	}
	return columns, nil
}
