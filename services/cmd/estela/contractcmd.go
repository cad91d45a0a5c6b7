package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

type contractCmd struct {
	Check    contractCheckCmd    `cmd:"" help:"Check every dataset: contract, endpoints, and what a change would break."`
	Accept   contractAcceptCmd   `cmd:"" help:"Store by a contract that breaks the one before, once all that was published by that is stored."`
	Validate contractValidateCmd `cmd:"" help:"Check documents against a contract: one verdict a line, as NDJSON."`
}

type contractCheckCmd struct {
	Against string `help:"Git revision whose contracts must still hold for producers and readers." placeholder:"REV"`
}

type contractValidateCmd struct {
	Contract string `arg:"" help:"Contract file." type:"existingfile"`
	File     string `arg:"" optional:"" help:"File of documents; - or nothing is standard input."`
	Format   string `help:"Format of the file (${enum})." enum:"auto,csv,tsv,ndjson,json,parquet" default:"auto"`
	Encoding string `help:"Character encoding of the file, if it is not UTF-8." placeholder:"NAME"`
}

// Run is 'estela contract check'.
func (c *contractCheckCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	all, err := g.datasets()
	if err != nil {
		return errors.Join(err, prepareSQL(ctx, all))
	}
	if c.Against != "" && len(g.Data) == 0 {
		top, err := git(ctx, ".", "rev-parse", "--show-toplevel")
		if err != nil {
			return usageError{fmt.Errorf("--against compares with git: run it in a checkout or give --data: %w", err)}
		}
		g.Data = []string{filepath.Join(strings.TrimSpace(string(top)), "data")}
		if all, err = g.datasets(); err != nil {
			return err
		}
	}
	stored, against := g.storedContracts(ctx, s, all)
	say(s.err, "%s", against)
	sql := prepareSQL(ctx, all)
	broken := []error{sql}
	for _, d := range all {
		for _, w := range d.Warnings() {
			say(s.err, "%s: warning: %s", d.Name, w)
		}
		if c.Against != "" {
			if err := d.against(ctx, g, c.Against); err != nil {
				broken = append(broken, err)
				continue
			}
		}
		if err := d.holdsStored(stored[d.Name]); err != nil {
			broken = append(broken, err)
			continue
		}
		if sql != nil {
			continue // which of the datasets its errors are of, they say
		}
		say(s.out, "%s: ok, %d columns, %d endpoints, schema version %s", d.Name, len(d.Columns), len(d.endpoints), d.Version)
	}
	return errors.Join(broken...)
}

// breakError refuses a change of a contract.
type breakError struct {
	dataset, against string
	changes          []contract.Change
	wayOut           string
}

func (e *breakError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: breaks the contract of %s", e.dataset, e.against)
	for _, c := range e.changes {
		fmt.Fprintf(&b, "\n  %s: %s", c.Pointer, c.Reason)
	}
	b.WriteString("\n" + e.wayOut)
	return b.String()
}

// summary is what breaks, on one line.
func (e *breakError) summary() string {
	all := make([]string, len(e.changes))
	for i, c := range e.changes {
		all[i] = c.String()
	}
	return "breaks the one of " + e.against + ": " + strings.Join(all, "; ")
}

// against compares the dataset's contract with the one of a git revision. A
// dataset that the revision does not have breaks nothing.
func (d *dataset) against(ctx context.Context, g *Globals, rev string) error {
	dir, err := g.dirOf(d.Name)
	if err != nil {
		return err
	}
	if _, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}"); err != nil {
		return usageError{fmt.Errorf("--against %s: no such revision in %s", rev, dir)}
	}
	old, err := git(ctx, dir, "show", rev+":./contract.json")
	if err != nil {
		if strings.Contains(err.Error(), "exist") {
			return nil
		}
		return fmt.Errorf("read contract of %s at %s: %w", d.Name, rev, err)
	}
	before, err := contract.Parse(d.Name, rev+":contract.json", old)
	if err != nil {
		return fmt.Errorf("read contract of %s at %s: %w", d.Name, rev, err)
	}
	if changes := d.Breaks(before); len(changes) > 0 {
		return &breakError{d.Name, rev, changes, warehouse.WayOut(d.Name, changes)}
	}
	return nil
}

// dirOf finds a dataset's folder on disk.
func (g *Globals) dirOf(name string) (string, error) {
	for _, dir := range g.Data {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("find %s: %w", dir, err)
		}
		for _, d := range []string{abs, filepath.Join(abs, name)} {
			if _, err := os.Stat(filepath.Join(d, "contract.json")); err == nil && filepath.Base(d) == name {
				return d, nil
			}
		}
	}
	return "", fmt.Errorf("folder of dataset %s not found", name)
}

// git runs a git command in a directory and returns what it prints.
func git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("git %s: %s", args[0], strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return nil, fmt.Errorf("run git: %w", err)
	}
	return out, nil
}

// verdict is one line of 'contract validate'.
type verdict struct {
	Line       int64             `json:"line"`
	Valid      bool              `json:"valid"`
	Violations []event.Violation `json:"violations,omitempty"`
}

// Run is 'estela contract validate'.
func (c *contractValidateCmd) Run(ctx context.Context, s *streams) error {
	schema, err := os.ReadFile(c.Contract)
	if err != nil {
		return usageError{fmt.Errorf("read contract: %w", err)}
	}
	k, err := contract.Parse("documents", c.Contract, schema)
	if err != nil {
		return err
	}
	file := &fileFlags{File: c.File, Format: c.Format, Encoding: c.Encoding, Mapping: "none"}
	decoder, out, invalid := k.NewDecoder(), json.NewEncoder(s.out), 0
	out.SetEscapeHTML(false)
	err = file.each(ctx, s, &dataset{Contract: k}, func(r warehouse.Document) error {
		v := verdict{Line: r.Line}
		if r.Problem != nil {
			v.Violations = []event.Violation{{Keyword: "json", Message: r.Problem.Error()}}
		} else {
			v.Violations = decoder.Validate(r.JSON)
		}
		if v.Valid = len(v.Violations) == 0; !v.Valid {
			invalid++
		}
		return out.Encode(v)
	})
	if err == nil && invalid > 0 {
		say(s.err, "estela: %d documents break %s", invalid, c.Contract)
		return errReported
	}
	return err
}
