package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/estela-dev/estela/services/internal/chart"
	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/fault"
)

type endpointRunCmd struct {
	Name   string            `arg:"" complete:"endpoint" help:"The endpoint: NAME, DATASET/NAME or its path."`
	Param  map[string]string `help:"A parameter of the endpoint, limit and cursor too; may be given several times." placeholder:"NAME=VALUE" mapsep:"none"`
	Format string            `help:"Output format (${enum}); table is for people." enum:"table,json,ndjson,csv,parquet,arrow,svg,chart" default:"table"`
	Chart  bool              `help:"Draw the endpoint's chart in the terminal."`
	Sample bool              `help:"Run on the dataset's sample instead of the running pipeline or the warehouse."`
}

// Run is 'estela endpoint run'. It requests the API that runs on the data directory, or serves one
// itself on the warehouse or on the samples.
func (c *endpointRunCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	all, err := g.load()
	if err != nil {
		return err
	}
	path, err := c.path(all)
	if err != nil {
		return err
	}
	if running, err := datadir.Running(ctx, g.DataDir); err != nil {
		return err
	} else if running != nil && running.API != "" && !c.Sample {
		return c.get(ctx, s, "http://"+running.API+path)
	}
	own, end, err := c.core(ctx, g, s, all)
	defer end()
	if err != nil {
		return err
	}
	return own.serve(ctx, func(ctx context.Context, url string) error { return c.get(ctx, s, url+path) })
}

// serve runs an API on a port of its own while use asks it.
func (c *core) serve(ctx context.Context, use func(ctx context.Context, url string) error) error {
	app, err := c.newAPI(ctx, asIs)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	parts := group{func(ctx context.Context) error { return serveAPI(ctx, app, l) }}
	parts.add(func(ctx context.Context) error {
		defer stop()
		return use(ctx, "http://"+l.Addr().String())
	})
	return parts.run(ctx)
}

// path returns the endpoint's path and query.
func (c *endpointRunCmd) path(all []*dataset.Dataset) (string, error) {
	query := url.Values{"format": {c.Format}}
	switch {
	case c.Chart:
		query.Set("format", "chart")
	case c.Format == "table":
		query.Set("format", "json")
	}
	for name, value := range c.Param {
		query.Set(name, value)
	}
	var found []string
	drawn := false
	for _, d := range all {
		for _, e := range d.Endpoints {
			path := "/v1/" + d.Name + "/" + e.Name
			if c.Name == e.Name || c.Name == d.Name+"/"+e.Name || c.Name == path {
				found, drawn = append(found, path), e.Chart != nil
			}
		}
	}
	switch len(found) {
	case 0:
		return "", unknownEndpoint(all, c.Name)
	case 1:
		if c.Chart && c.Format != "table" {
			return "", fault.Usagef("--chart draws in the terminal: leave out --format %s", c.Format)
		}
		if c.Chart && !drawn {
			return "", fault.Usagef("%s has no chart: add a line such as -- chart: bar x=COLUMN y=COLUMN to its header", c.Name)
		}
		return found[0] + "?" + query.Encode(), nil
	default:
		return "", fault.Usagef("%s is ambiguous: give %s", c.Name, strings.Join(found, " or "))
	}
}

// core opens the warehouse of the flags, or one with the samples.
func (c *endpointRunCmd) core(ctx context.Context, g *Globals, s *streams, all []*dataset.Dataset) (own *core, end func(), err error) {
	if c.Sample {
		return g.sampled(ctx, s, all)
	}
	if own, err = newCore(ctx, g, all, true, g.logger(s)); err != nil {
		return nil, func() {}, fmt.Errorf("%w\nnothing runs on %s: start 'estela up', or give --sample", err, g.DataDir)
	}
	return own, func() { _ = own.store.Close() }, nil
}

// get requests target and prints the response.
func (c *endpointRunCmd) get(ctx context.Context, s *streams, target string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return fmt.Errorf("ask the API: %w", err)
	}
	if token := os.Getenv(apiKeyVariable); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("ask the API: %w", err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode != http.StatusOK:
		return problemError(res)
	case c.Chart:
		return showChart(s.out, res.Body)
	case c.Format == "table":
		return showTable(s.out, res.Body)
	default:
		_, err = io.Copy(s.out, res.Body)
		return err
	}
}

// apiKeyVariable is the variable with the API key. It is no flag, because every user of the machine
// can see flags.
const apiKeyVariable = "ESTELA_API_KEY" //nolint:gosec // a name, not a key

// problemError converts a problem document (RFC 9457) to an error.
func problemError(res *http.Response) error {
	var p struct{ Title, Detail, Parameter string }
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&p); err != nil {
		return fmt.Errorf("the API answered %s", res.Status)
	}
	if p.Parameter != "" {
		p.Title += " " + p.Parameter
	}
	err := fmt.Errorf("%s: %s", p.Title, p.Detail)
	if res.StatusCode < http.StatusInternalServerError {
		return fault.Usage(err)
	}
	return err
}

// seriesColors are the colors of a chart's series, which differ in lightness too.
var seriesColors = []color{"94", "33", "35", "31", "96", "32", "34", "93"}

// showChart draws a response of ?format=chart, as wide as the terminal or COLUMNS.
func showChart(out io.Writer, body io.Reader) error {
	var p chart.Picture
	if err := json.NewDecoder(body).Decode(&p); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	var inColor func(series int, text string) string
	if isColored(out) {
		inColor = func(series int, text string) string { return paint(out, seriesColors[series%len(seriesColors)], text) }
	}
	return p.Text(out, columnsOf(out), inColor)
}

// showTable prints a JSON response as a table.
func showTable(out io.Writer, body io.Reader) error {
	var doc struct {
		Data []json.RawMessage
		Meta struct {
			AsOf *string `json:"as_of"`
			Rows int
			Next *string
		}
	}
	if err := json.NewDecoder(body).Decode(&doc); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, row := range doc.Data {
		columns, values, err := endpoint.Members(row)
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		if i == 0 {
			_, _ = fmt.Fprintln(w, strings.Join(columns, "\t"))
		}
		cells := make([]string, len(values))
		for i, value := range values {
			cells[i] = cell(value)
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	say(out, "%d rows", doc.Meta.Rows)
	if doc.Meta.Next != nil {
		say(out, "more: --param cursor=%s", *doc.Meta.Next)
	}
	return nil
}

// cell formats a value for a terminal: a string without quotes, nothing for NULL, U+FFFD for control
// characters.
func cell(value json.RawMessage) string {
	var text string
	switch {
	case string(value) == "null":
		return ""
	case json.Unmarshal(value, &text) != nil:
		return string(value)
	}
	return printable(text)
}
