package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/inventory"
	"github.com/estela-dev/estela/services/internal/mask"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

type contractCmd struct {
	Check    contractCheckCmd    `cmd:"" help:"Check every dataset: contract, endpoints and their tests, and breaking changes."`
	Accept   contractAcceptCmd   `cmd:"" help:"Accept a contract that breaks the stored one, once all events published by that one are stored."`
	Validate contractValidateCmd `cmd:"" help:"Validate documents against a contract: one verdict a line, as NDJSON."`
}

type contractCheckCmd struct {
	Against string `help:"Git revision whose contracts must still hold for producers and readers." placeholder:"REV"`

	jsonFlag
}

type contractValidateCmd struct {
	Contract string `arg:"" help:"Contract file." type:"existingfile"`
	File     string `arg:"" optional:"" help:"File of documents; - or nothing is standard input."`
	Format   string `help:"Format of the file (${enum})." enum:"auto,csv,tsv,ndjson,json,parquet" default:"auto"`
	Encoding string `help:"Character encoding of the file, if it is not UTF-8." placeholder:"NAME"`
}

// contractOutcome is the check of one contract.
type contractOutcome struct {
	outcome

	Columns       int    `json:"columns"`
	Endpoints     int    `json:"endpoints"`
	SchemaVersion string `json:"schema_version"`
}

// Run is 'estela contract check'. Errors are on standard error also with --json.
func (c *contractCheckCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	err := c.check(ctx, g, s)
	if err != nil && c.JSON {
		c.say(s.out, outcome{Check: "contract", Status: failed, Found: mask.Text(err.Error())}, "")
	}
	return err
}

func (c *contractCheckCmd) check(ctx context.Context, g *Globals, s *streams) error {
	all, err := g.load()
	if err != nil {
		return errors.Join(err, prepareSQL(ctx, all))
	}
	if c.Against != "" && len(g.Data) == 0 {
		top, err := git(ctx, ".", "rev-parse", "--show-toplevel")
		if err != nil {
			return fault.Usagef("--against compares with git: run it in a checkout or give --data: %w", err)
		}
		g.Data = []string{filepath.Join(strings.TrimSpace(string(top)), "data")}
		if all, err = g.load(); err != nil {
			return err
		}
	}
	stored, where, compared := g.storedContracts(ctx, s, all)
	say(s.err, "compared with %s", compared)
	sql := prepareSQL(ctx, all)
	broken := []error{sql}
	for _, d := range all {
		for _, w := range d.Warnings() {
			say(s.err, "%s: warning: %s", d.Name, w)
		}
		if c.Against != "" && d.Dir != "" {
			if err := against(ctx, d, c.Against); err != nil {
				broken = append(broken, err)
				continue
			}
		}
		if err := checkCompatible(d, stored[d.Name], where); err != nil {
			broken = append(broken, err)
			continue
		}
		if sql != nil {
			continue // its errors name their dataset
		}
		o := contractOutcome{outcome{Check: d.Name, Status: passed}, len(d.Columns), len(d.Endpoints), d.Version}
		c.say(s.out, o, "%s: %s, %d columns, %d endpoints, schema version %s",
			d.Name, paint(s.out, green, "ok"), o.Columns, o.Endpoints, o.SchemaVersion)
	}
	if sql == nil {
		broken = append(broken, (&endpointTestCmd{jsonFlag: c.jsonFlag}).test(ctx, g, s, all))
	}
	return errors.Join(broken...)
}

// against compares the dataset's contract with that of a git revision. A dataset that is new since
// then breaks nothing.
func against(ctx context.Context, d *dataset.Dataset, rev string) error {
	if _, err := git(ctx, d.Dir, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}"); err != nil {
		return fault.Usagef("--against %s: no such revision in %s", rev, d.Dir)
	}
	old, err := git(ctx, d.Dir, "show", rev+":./contract.json")
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
	return checkCompatible(d, before, rev)
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
		return fault.Usagef("read contract: %w", err)
	}
	k, err := contract.Parse("documents", c.Contract, schema)
	if err != nil {
		return err
	}
	file := &fileFlags{File: c.File, Format: c.Format, Encoding: c.Encoding, Mapping: "none"}
	decoder, out, invalid := k.NewDecoder(), json.NewEncoder(s.out), 0
	out.SetEscapeHTML(false)
	err = file.each(ctx, s, &dataset.Dataset{Contract: k}, func(r importer.Document) error {
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

type contractAcceptCmd struct {
	Dataset string `arg:"" help:"Name of the dataset."`
}

// Run is 'estela contract accept'.
func (c *contractAcceptCmd) Run(ctx context.Context, g *Globals, s *streams) (err error) {
	d, err := g.pick(c.Dataset)
	if err != nil {
		return err
	}
	m, err := g.maintenance(ctx, nil, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.end.run()) }()
	known, err := inventory.Take(ctx, m.store)
	if err != nil {
		return err
	}
	by := known.Dataset(d.Name)
	if by == nil {
		return fault.Usagef("%s was never stored in %s: start a worker, there is nothing to accept", d.Name, m.identity.Location)
	}
	old, err := by.Contract()
	if err != nil {
		return err
	}
	return m.accept(ctx, s, d, old, known)
}

// accept records the contract in place of the old one, once nothing is in flight.
func (m *maintenance) accept(ctx context.Context, s *streams, d *dataset.Dataset, old *contract.Contract, known *inventory.Inventory) error {
	if err := m.redis.ClaimShards(ctx, []*contract.Contract{old}, m.identity); err != nil {
		return err
	}
	wider := old
	if d.Shards > old.Shards {
		wider = d.Contract
	}
	streams, err := m.redis.Summaries(ctx, wider)
	if err != nil {
		return err
	}
	if err := checkNoLease(wider, streams); err != nil {
		return err
	}
	if err := checkDrained(old, streams, known); err != nil {
		return err
	}
	if err := m.checkNoLostRejects(ctx, d); err != nil {
		return err
	}
	if err := m.store.Accept(ctx, d.Contract, d.Views, d.References); err != nil {
		return err
	}
	if err := m.redis.ClaimShards(ctx, []*contract.Contract{d.Contract}, m.identity); err != nil {
		return err
	}
	if err := m.redis.RegisterContract(ctx, d.Contract, append(known.Versions(d.Name), d.Version), true); err != nil {
		return err
	}
	if err := m.trimRemovedShards(ctx, d, streams); err != nil {
		return err
	}
	say(s.out, "%s: accepted, schema version %s. Start the worker with it, then the producers.", d.Name, d.Version)
	for _, text := range consequences(d.Contract, old) {
		say(s.out, "  %s", text)
	}
	return nil
}

// checkDrained fails while a shard, of the old contract or not, has entries that are not stored.
func checkDrained(old *contract.Contract, streams []stream.Summary, known *inventory.Inventory) error {
	for _, s := range streams {
		n := known.Lag(old.Name, s)
		switch {
		case n == 0:
		case s.Shard < old.Shards:
			return fault.Refusedf("%d entries of %s are not stored yet: stop the producers, start 'estela worker' (or 'up') "+
				"with the contract as it was, and stop it when this command finds none any more", n, stream.Key(old, s.Shard))
		default:
			return fault.Refusedf("%d entries of %s have no worker, by the old contract neither: publish again what redis-cli XRANGE shows of them, "+
				"then DEL it", n, stream.Key(old, s.Shard))
		}
	}
	return nil
}

// checkNoLostRejects fails while removed shards have rejects, which could never be replayed.
func (m *maintenance) checkNoLostRejects(ctx context.Context, d *dataset.Dataset) error {
	left, err := m.store.ListRejects(ctx, d.Name, 1, &warehouse.RejectKey{Shard: d.Shards - 1, ID: event.ID{MS: math.MaxInt64}})
	if err == nil && len(left) > 0 {
		err = fault.Refusedf("reject %s of %s is of a shard that the contract removes: before that, 'estela rejects replay %s' by the old contract, "+
			"or 'estela rejects purge %s'", left[0].Key(), d.Name, d.Name, d.Name)
	}
	return err
}

// trimRemovedShards deletes the entries that the streams of removed shards keep for a replay: no
// worker would trim them. Their positions stay, for the shards may be added again.
func (m *maintenance) trimRemovedShards(ctx context.Context, d *dataset.Dataset, streams []stream.Summary) error {
	for _, s := range streams {
		if s.Shard < d.Shards || s.Length == 0 {
			continue
		}
		if err := m.redis.Shard(d.Contract, s.Shard, "", stream.ShardConfig{}).Trim(ctx, s.Newest); err != nil {
			return err
		}
	}
	return nil
}

// consequences lists what the operator must know about the change.
func consequences(is, was *contract.Contract) []string {
	var all []string
	if is.Shards != was.Shards {
		all = append(all, fmt.Sprintf("%d shards, were %d: duplicates are found within a shard only. A key of the last %s that is sent again now "+
			"and comes to another shard is stored twice.", is.Shards, was.Shards, is.Dedupe),
			"Producers with the old contract write to the wrong shards: 'estela publish' refuses, others must be stopped or changed.")
	}
	for _, c := range is.Breaks(was) {
		all = append(all, "accepted: "+c.String())
	}
	return append(all, "Rows that are stored stay as they are; a column without a property stays and is NULL from now on.")
}
