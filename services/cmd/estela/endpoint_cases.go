package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/fault"
)

type endpointTestCmd struct {
	Name   []string `arg:"" optional:"" complete:"endpoint" help:"Endpoints, as NAME or DATASET/NAME. Default: all that have tests."`
	Update bool     `help:"Write what the endpoints answer into their tests; one that has none gets one."`

	jsonFlag
}

// Run is 'estela endpoint test'.
func (c *endpointTestCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	if c.Update && len(g.Data) == 0 {
		return fault.Usagef("the tests of the built-in datasets can't be changed: say --data DIR, the folder of yours")
	}
	all, err := g.load()
	if err != nil {
		return err
	}
	return c.test(ctx, g, s, all)
}

// endpointTest is an endpoint and its cases.
type endpointTest struct {
	dataset  *dataset.Dataset
	endpoint *endpoint.Endpoint
	cases    []endpoint.Case
}

func (t *endpointTest) name() string { return t.dataset.Name + "/" + t.endpoint.Name }

// test runs the cases of the endpoints of those names, of all without names, on the samples.
func (c *endpointTestCmd) test(ctx context.Context, g *Globals, s *streams, all []*dataset.Dataset) error {
	tests, err := collectTests(all, c.Name, c.Update)
	if err != nil || len(tests) == 0 {
		return err
	}
	own, end, err := g.sampled(ctx, s, all)
	defer end()
	if err != nil {
		return err
	}
	failures := 0
	err = own.serve(ctx, func(ctx context.Context, base string) error {
		for _, t := range tests {
			n, err := c.run(ctx, s, base, t)
			if err != nil {
				return fmt.Errorf("test %s: %w", t.name(), err)
			}
			failures += n
		}
		return nil
	})
	if err == nil && failures > 0 {
		err = fault.Refusedf("%d of the endpoints' tests failed; estela endpoint test --update accepts what is answered now", failures)
	}
	return err
}

// collectTests reads the cases. With update an endpoint without any gets one, if it needs no
// parameter.
func collectTests(all []*dataset.Dataset, names []string, update bool) ([]*endpointTest, error) {
	var tests []*endpointTest
	var faults []error
	asked := map[string]bool{}
	for _, name := range names {
		asked[name] = false
	}
	for _, d := range all {
		if update && d.Dir == "" {
			continue // built in
		}
		for i := range d.Endpoints {
			t := &endpointTest{dataset: d, endpoint: &d.Endpoints[i]}
			_, short := asked[t.endpoint.Name]
			_, long := asked[t.name()]
			if len(names) > 0 && !short && !long {
				continue
			}
			asked[t.endpoint.Name], asked[t.name()] = true, true
			var err error
			if t.cases, err = t.endpoint.LoadCases(d.Folder, d.Name); err != nil {
				faults = append(faults, err)
				continue
			}
			if len(t.cases) == 0 && update && !t.endpoint.NeedsParams() {
				t.cases = []endpoint.Case{{}}
			}
			if len(t.cases) > 0 {
				tests = append(tests, t)
			}
		}
	}
	for _, name := range names {
		if !asked[name] {
			faults = append(faults, unknownEndpoint(all, name))
		}
	}
	return tests, errors.Join(faults...)
}

// testOutcome is the test of an endpoint.
type testOutcome struct {
	outcome

	Cases  int `json:"cases"`
	Failed int `json:"failed"`
}

// run runs the cases of an endpoint and counts those that failed.
func (c *endpointTestCmd) run(ctx context.Context, s *streams, base string, t *endpointTest) (failures int, err error) {
	var report strings.Builder
	for i := range t.cases {
		one := &t.cases[i]
		a, err := t.ask(ctx, base, one)
		if err != nil {
			return 0, err
		}
		if c.Update {
			one.Accept(a)
			continue
		}
		if differences := one.Compare(a); len(differences) > 0 {
			failures++
			fmt.Fprintf(&report, "\n      case %s\n        %s", one.Title(i), strings.ReplaceAll(strings.Join(differences, "\n"), "\n", "\n        "))
		}
	}
	o := testOutcome{outcome{Check: t.name(), Status: passed, Found: strings.TrimSpace(report.String())}, len(t.cases), failures}
	switch {
	case c.Update:
		err = t.write(s)
	case failures > 0:
		o.Status = failed
		c.say(s.out, o, "%s  %s: %d of %d cases%s", o.Status.mark(s.out), t.name(), failures, len(t.cases), report.String())
	default:
		c.say(s.out, o, "%s  %-28s %6d cases", o.Status.mark(s.out), t.name(), len(t.cases))
	}
	return failures, err
}

// ask gets the endpoint's answer to the case.
func (t *endpointTest) ask(ctx context.Context, base string, c *endpoint.Case) (endpoint.Answer, error) {
	query := url.Values{"format": {"json"}}
	for name, value := range c.Params {
		query.Set(name, value)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/"+t.name()+"?"+query.Encode(), nil)
	if err != nil {
		return endpoint.Answer{}, fmt.Errorf("ask the API: %w", err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return endpoint.Answer{}, fmt.Errorf("ask the API: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return endpoint.Answer{}, fmt.Errorf("read answer: %w", err)
	}
	return endpoint.ReadAnswer(res.StatusCode, body)
}

// write replaces the file of the endpoint's cases, if they changed.
func (t *endpointTest) write(s *streams) error {
	text, err := endpoint.WriteCases(t.cases)
	if err != nil {
		return err
	}
	file := filepath.Join(t.dataset.Dir, filepath.FromSlash(strings.TrimPrefix(t.endpoint.CaseFile(), t.dataset.Name+"/")))
	if old, err := os.ReadFile(file); err == nil && string(old) == string(text) {
		say(s.out, "same  %s", file)
		return nil
	}
	if err := os.WriteFile(file, text, 0o644); err != nil { //nolint:gosec // it is source code, as others may read
		return fmt.Errorf("write cases: %w", err)
	}
	say(s.out, "wrote %s", file)
	return nil
}
