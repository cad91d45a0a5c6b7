package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/diagnosis"
	"github.com/estela-dev/estela/services/internal/operation"
	"github.com/estela-dev/estela/services/internal/stream"
)

type doctorCmd struct{ jsonFlag }

// Run is 'estela doctor'.
func (c *doctorCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	datasets, err := g.load()
	all := examineContracts(datasets, err)
	all = append(all, g.examineProcess(ctx)...)
	all = append(all, g.examineRedis(ctx, s)...)
	all = append(all, g.examineWarehouse(ctx, s)...)
	if err == nil {
		all = append(all, g.examineStored(ctx, s, datasets)...)
	}
	all = append(all, examineVersion(g.Warehouse))
	failures := 0
	for _, f := range all {
		c.printFinding(s.out, f)
		if statusOf(f) == failed {
			failures++
		}
	}
	if failures == 0 {
		return nil
	}
	if !c.JSON {
		say(s.out, "\n%d of %d checks failed", failures, len(all))
	}
	return errReported
}

func statusOf(f diagnosis.Finding) status {
	switch {
	case f.Fix == "":
		return passed
	case f.Warning:
		return warned
	default:
		return failed
	}
}

func (c *doctorCmd) printFinding(out io.Writer, f diagnosis.Finding) {
	is := statusOf(f)
	text := fmt.Sprintf("%s  %-20s %s", is.mark(out), f.Name, f.Found)
	if f.Fix != "" {
		text += fmt.Sprintf("\n      %-20s fix: %s", "", f.Fix)
	}
	c.say(out, outcome{f.Name, is, f.Found, f.Fix}, "%s", text)
}

func examineContracts(all []*dataset.Dataset, err error) []diagnosis.Finding {
	if err != nil {
		return []diagnosis.Finding{{Name: "contracts", Found: err.Error(), Fix: "correct the files named above; 'estela contract check' checks them"}}
	}
	found := []diagnosis.Finding{{Name: "contracts", Found: strings.Join(dataset.Names(all), ", ")}}
	for _, d := range all {
		for _, w := range d.Warnings() {
			found = append(found, diagnosis.Finding{Name: "contract " + d.Name, Found: w, Fix: "see the dataset's contract.json", Warning: true})
		}
	}
	return found
}

func (g *Globals) examineRedis(ctx context.Context, s *streams) []diagnosis.Finding {
	url, err := g.redisURL(ctx)
	if err != nil {
		return []diagnosis.Finding{{
			Name: "redis", Found: "none given and none runs here", Warning: true,
			Fix: "give --redis URL; 'estela up' starts one",
		}}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cfg, err := g.config(ctx, url, g.logger(s))
	if err != nil {
		return []diagnosis.Finding{{Name: "redis", Found: err.Error(), Fix: "correct what --redis-ca and --redis-auth name"}}
	}
	client, err := stream.Open(ctx, cfg)
	if err != nil {
		return []diagnosis.Finding{{Name: "redis", Found: err.Error(), Fix: g.redisFix()}}
	}
	defer func() { _ = client.Close() }()
	info, err := client.Info(ctx)
	if err != nil {
		return []diagnosis.Finding{{Name: "redis", Found: err.Error(), Fix: "see the server's log"}}
	}
	return diagnosis.Server(ctx, client, info)
}

// redisFix returns the fix for an unreachable server.
func (g *Globals) redisFix() string {
	if g.Redis != "" {
		return "start the server, or give another --redis URL"
	}
	return "it is the redis-server of the process that runs in " + g.DataDir + ", which restarts it when it ends: " +
		"if this stays, see that process' log and restart it"
}

func (g *Globals) examineWarehouse(ctx context.Context, s *streams) []diagnosis.Finding {
	if running, err := datadir.Running(ctx, g.DataDir); err == nil && running != nil && g.Warehouse == "" {
		return []diagnosis.Finding{{Name: "warehouse", Found: fmt.Sprintf("open in process %d, as it should be", running.PID)}}
	}
	w, err := g.openWarehouse(ctx, nil, true, g.logger(s))
	var locked *database.LockedError
	var extension *database.ExtensionError
	switch {
	case errors.As(err, &locked):
		return []diagnosis.Finding{{Name: "warehouse", Found: err.Error(), Fix: fmt.Sprintf("stop process %d, or give its --data-dir", locked.PID)}}
	case errors.As(err, &extension):
		return []diagnosis.Finding{{Name: "warehouse", Found: "MotherDuck can't be reached", Fix: err.Error()}}
	case err != nil && g.Warehouse == "":
		return []diagnosis.Finding{{Name: "warehouse", Found: "none yet in " + filepath.Clean(g.DataDir), Warning: true, Fix: "'estela up' creates it"}}
	case err != nil:
		return []diagnosis.Finding{{Name: "warehouse", Found: err.Error(), Fix: "check --warehouse"}}
	}
	defer func() { _ = w.Close() }()
	return []diagnosis.Finding{{Name: "warehouse", Found: w.Location()}}
}

func examineVersion(location string) diagnosis.Finding {
	v := database.Version()
	f := diagnosis.Finding{Name: "DuckDB", Found: v}
	if !database.MotherDuckTakes(v) {
		f.Fix = "MotherDuck does not take this version: build with a driver in its range"
		f.Warning = !strings.HasPrefix(location, "md:")
	}
	return f
}

// examineProcess checks the readiness of the process on the data directory.
func (g *Globals) examineProcess(ctx context.Context) []diagnosis.Finding {
	running, err := datadir.Running(ctx, g.DataDir)
	if err != nil {
		return []diagnosis.Finding{{Name: "process", Found: err.Error(), Fix: "remove that file if nothing runs there"}}
	}
	if running == nil {
		return g.examineLastProcess()
	}
	f := diagnosis.Finding{Name: "process", Found: fmt.Sprintf("%d runs in %s", running.PID, g.DataDir)}
	ops := operation.Dial(running.Control)
	defer ops.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if reason, err := ops.Unready(ctx); err != nil {
		f.Found, f.Fix = fmt.Sprintf("%d does not answer: %v", running.PID, err), "see its log; stop it and restart it"
	} else if reason != "" {
		f.Found, f.Fix = fmt.Sprintf("%d is not ready: %s", running.PID, reason), "fix what it names; it resumes by itself. Its log says more"
	}
	return []diagnosis.Finding{f}
}

// examineLastProcess reports a process that was killed or crashed.
func (g *Globals) examineLastProcess() []diagnosis.Finding {
	left, err := datadir.ReadRunFile(g.DataDir)
	if err != nil || left == nil { // examineProcess has reported the error
		return nil
	}
	return []diagnosis.Finding{{
		Name: "process", Found: fmt.Sprintf("%d ran in %s and was killed or crashed", left.PID, g.DataDir),
		Fix: "restart it: it finds its data. If it was not you, see the machine's log for why it ended (out of memory?)",
	}}
}

// examineStored compares the contracts and Redis with the warehouse's inventory.
func (g *Globals) examineStored(ctx context.Context, s *streams, all []*dataset.Dataset) []diagnosis.Finding {
	client := g.redisIfAny(ctx, s)
	if client != nil {
		defer func() { _ = client.Close() }()
	}
	known, err := g.inventory(ctx, s)
	if errors.Is(err, errNoWarehouse) {
		return diagnosis.Streams(ctx, all, nil, client)
	}
	if err != nil {
		return append(diagnosis.Streams(ctx, all, nil, client),
			diagnosis.Finding{Name: "stored contracts", Found: err.Error(), Fix: "see the warehouse's line above", Warning: true})
	}
	return examineKnown(ctx, all, known, client)
}
