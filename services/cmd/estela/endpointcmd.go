package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

type endpointCmd struct {
	List  endpointListCmd  `cmd:"" help:"List the endpoints with their parameters."`
	New   endpointNewCmd   `cmd:"" help:"Write a SQL file to begin an endpoint with."`
	Check endpointCheckCmd `cmd:"" help:"Run every endpoint on its dataset's sample and look at its plan."`
	Run   endpointRunCmd   `cmd:"" help:"Show an endpoint's answer in the terminal."`
}

type endpointListCmd struct{}

// Run is 'estela endpoint list'.
func (endpointListCmd) Run(g *Globals, s *streams) error {
	all, err := g.datasets()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, d := range all {
		for _, e := range d.endpoints {
			_, _ = fmt.Fprintf(w, "/v1/%s/%s\t%s\t%s\n", d.Name, e.Name, paramList(e), e.Summary)
		}
	}
	return w.Flush()
}

// paramList is the endpoint's parameters, those that may be left out in brackets.
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

var newEndpointName = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// Run is 'estela endpoint new'.
func (c *endpointNewCmd) Run(g *Globals, s *streams) error {
	if !newEndpointName.MatchString(c.Name) {
		return usageError{fmt.Errorf("%q can't be a path: lower case letters, digits, - and _, beginning with a letter", c.Name)}
	}
	if len(g.Data) == 0 {
		return usageError{errors.New("the built-in datasets can't be changed: say --data DIR, the folder of yours")}
	}
	d, dir, err := c.folder(g)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "endpoints", c.Name+".sql")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // it is source code, as others may read
		return fmt.Errorf("make the folder of endpoints: %w", err)
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // it is source code, as others may read
	if errors.Is(err, os.ErrExist) {
		return usageError{fmt.Errorf("%s is there already; choose another name", file)}
	}
	if err != nil {
		return fmt.Errorf("write endpoint: %w", err)
	}
	_, err = out.WriteString(scaffold(d.Contract))
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("write endpoint: %w", err)
	}
	say(s.out, "%s\nEdit it, then: estela endpoint check --data %s", file, strings.Join(g.Data, " --data "))
	return nil
}

// folder finds the dataset and where it lies.
func (c *endpointNewCmd) folder(g *Globals) (*dataset, string, error) {
	all, err := g.datasets()
	if err != nil {
		return nil, "", err
	}
	if c.Dataset == "" && len(all) > 1 {
		return nil, "", usageError{errors.New("there are several datasets: name one with --dataset")}
	}
	name := c.Dataset
	if name == "" {
		name = all[0].Name
	}
	d, err := pick(all, name)
	if err != nil {
		return nil, "", err
	}
	for _, dir := range g.Data {
		for _, place := range []string{dir, filepath.Join(dir, d.Name)} {
			if _, err := os.Stat(filepath.Join(place, "contract.json")); err == nil && filepath.Base(absolute(place)) == d.Name {
				return d, place, nil
			}
		}
	}
	return nil, "", usageError{fmt.Errorf("found no folder %s below %s", d.Name, strings.Join(g.Data, ", "))}
}

func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

// scaffold is an endpoint to begin with: the newest events, by page.
func scaffold(c *contract.Contract) string {
	key, at := c.Columns[c.Key].Name, c.Columns[c.Time].Name
	columns := make([]string, len(c.Columns))
	for i, column := range c.Columns {
		columns[i] = `"` + column.Name + `"`
	}
	return fmt.Sprintf(`-- Newest %[1]s, in the time that you ask for.
-- Say here what the answer is, for those who read the documentation.
--
-- param: since date-time -- only events at or after this instant
-- param: until date-time -- only events before this instant
-- order: %[3]s desc, %[2]s desc
-- cache: 2s
SELECT %[5]s
FROM %[4]s
WHERE ($since IS NULL OR "%[3]s" >= $since)
  AND ($until IS NULL OR "%[3]s" < $until)
`, c.Name, key, at, `"`+c.Name+`"`, strings.Join(columns, ", "))
}

type endpointCheckCmd struct{}

// Run is 'estela endpoint check'.
func (endpointCheckCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	all, err := g.datasets()
	if err != nil {
		return errors.Join(err, prepareSQL(ctx, all))
	}
	if err := prepareSQL(ctx, all); err != nil {
		return err
	}
	n, end, err := g.sampled(ctx, s)
	defer end()
	if err != nil {
		return err
	}
	app, err := n.newAPI(ctx)
	if err != nil {
		return err
	}
	failed := 0
	for _, tried := range app.Try(ctx) {
		if tried.Err != nil {
			failed++
			say(s.out, "FAIL  %s\n      %v", tried.Path, tried.Err)
			continue
		}
		say(s.out, "ok    %-28s %6d rows  %s", tried.Path, tried.Rows, tried.Took.Round(100*time.Microsecond))
	}
	if failed > 0 {
		return refusedError{fmt.Errorf("%d endpoints failed", failed)}
	}
	return nil
}

// sampled is a node whose warehouse is a temporary file with the samples in it.
// The caller ends it, also after an error.
func (g *Globals) sampled(ctx context.Context, s *streams) (n *node, end func(), err error) {
	var closing cleanup
	end = func() {
		if err := closing.run(); err != nil {
			say(s.err, "estela: %v", err)
		}
	}
	n = &node{g: g, log: g.logger(s)}
	if n.datasets, err = g.datasets(); err != nil {
		return nil, end, err
	}
	dir, err := os.MkdirTemp("", "estela-endpoints-")
	if err != nil {
		return nil, end, fmt.Errorf("make a temporary directory: %w", err)
	}
	closing.add(func() error { return os.RemoveAll(dir) })
	own := *g
	own.Warehouse = filepath.Join(dir, "sample.duckdb")
	if n.store, err = own.openWarehouse(ctx, n.datasets, false, n.log); err != nil {
		return nil, end, err
	}
	closing.add(n.store.Close)
	n.metrics = n.measured()
	for _, d := range n.datasets {
		if err := n.loadSample(ctx, s, d); err != nil {
			return nil, end, fmt.Errorf("load sample of %s: %w", d.Name, err)
		}
	}
	return n, end, nil
}

// loadSample stores the dataset's sample without a stream.
func (n *node) loadSample(ctx context.Context, s *streams, d *dataset) error {
	if d.sample == "" {
		return nil
	}
	file, remove, err := d.openSample(ctx, s)
	if err != nil {
		return err
	}
	defer remove()
	f := &filling{node: n, dataset: d, decoder: d.NewDecoder(), batches: make([]*contract.Batch, d.Shards)}
	if err := file.Each(ctx, func(one warehouse.Document) error { return f.add(ctx, one) }); err != nil {
		return err
	}
	return f.storeAll(ctx)
}

type endpointRunCmd struct {
	Name   string            `arg:"" help:"The endpoint: NAME, DATASET/NAME or its path."`
	Param  map[string]string `help:"A parameter of the endpoint, limit and cursor too; may be given several times." placeholder:"NAME=VALUE" mapsep:"none"`
	Format string            `help:"How to show it (${enum}); table is for people." enum:"table,json,ndjson,csv,parquet,arrow,svg" default:"table"`
	Sample bool              `help:"Run on the dataset's sample instead of the running pipeline or the warehouse."`
}

// Run is 'estela endpoint run': by the pipeline that runs on the data directory,
// else by an API of its own on the warehouse, or on the samples.
func (c *endpointRunCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	path, err := c.path(g)
	if err != nil {
		return err
	}
	if running, err := readRunFile(ctx, g.DataDir); err != nil {
		return err
	} else if running != nil && running.API != "" && !c.Sample {
		return c.get(ctx, s, "http://"+running.API+path)
	}
	n, end, err := c.node(ctx, g, s)
	defer end()
	if err != nil {
		return err
	}
	app, err := n.newAPI(ctx)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	parts, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	parts.Go(func() error { return serveAPI(ctx, app, l) })
	parts.Go(func() error {
		defer stop()
		return c.get(ctx, s, "http://"+l.Addr().String()+path)
	})
	return parts.Wait()
}

// path is the endpoint's path with its parameters.
func (c *endpointRunCmd) path(g *Globals) (string, error) {
	all, err := g.datasets()
	if err != nil {
		return "", err
	}
	query := url.Values{"format": {c.Format}}
	if c.Format == "table" {
		query.Set("format", "json")
	}
	for name, value := range c.Param {
		query.Set(name, value)
	}
	var found []string
	for _, d := range all {
		for _, e := range d.endpoints {
			path := "/v1/" + d.Name + "/" + e.Name
			if c.Name == e.Name || c.Name == d.Name+"/"+e.Name || c.Name == path {
				found = append(found, path)
			}
		}
	}
	switch len(found) {
	case 0:
		return "", usageError{fmt.Errorf("no endpoint %q: estela endpoint list shows those there are", c.Name)}
	case 1:
		return found[0] + "?" + query.Encode(), nil
	default:
		return "", usageError{fmt.Errorf("%s may be %s: say which", c.Name, strings.Join(found, " or "))}
	}
}

func (c *endpointRunCmd) node(ctx context.Context, g *Globals, s *streams) (n *node, end func(), err error) {
	if c.Sample {
		return g.sampled(ctx, s)
	}
	n, end = &node{g: g, log: g.logger(s)}, func() {}
	if n.datasets, err = g.datasets(); err != nil {
		return nil, end, err
	}
	if n.store, err = g.openWarehouse(ctx, n.datasets, true, n.log); err != nil {
		return nil, end, fmt.Errorf("%w\nnothing runs on %s: begin with 'estela up', or say --sample", err, g.DataDir)
	}
	n.metrics = n.measured()
	return n, func() { _ = n.store.Close() }, nil
}

// get shows the answer to a request.
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
	case c.Format == "table":
		return showTable(s.out, res.Body)
	default:
		_, err = io.Copy(s.out, res.Body)
		return err
	}
}

// apiKeyVariable is where an API key is read from; never a flag, which every user
// of the machine can see.
const apiKeyVariable = "ESTELA_API_KEY" //nolint:gosec // a name, not a key

// problemError is the error that a problem document tells of.
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
		return usageError{err}
	}
	return err
}

// showTable prints an answer's rows in columns.
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
		columns, values, err := cells(row)
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		if i == 0 {
			_, _ = fmt.Fprintln(w, strings.Join(columns, "\t"))
		}
		_, _ = fmt.Fprintln(w, strings.Join(values, "\t"))
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

// cells are the names and values of a row, in the order of its JSON.
func cells(row json.RawMessage) (names, values []string, err error) {
	d := json.NewDecoder(strings.NewReader(string(row)))
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, err
		}
		names, values = append(names, fmt.Sprint(name)), append(values, cell(value))
	}
	return names, values, nil
}

// cell is a value as people read it: a string without quotes, nothing for NULL.
// What could steer a terminal is shown as an escape.
func cell(value json.RawMessage) string {
	var text string
	switch {
	case string(value) == "null":
		return ""
	case json.Unmarshal(value, &text) != nil:
		return string(value)
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\ufffd'
		}
		return r
	}, text)
}
