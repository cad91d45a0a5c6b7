package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

type doctorCmd struct{}

// finding is one thing that the doctor looked at.
type finding struct {
	name, found string
	fix         string // empty when all is well
	warning     bool   // the pipeline works all the same
}

// maxSkew is how far Redis' clock may be from this machine's before freshness
// can't be trusted.
const maxSkew = 2 * time.Second

// Run is 'estela doctor'.
func (c *doctorCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	var all []finding
	all = append(all, g.examineContracts()...)
	all = append(all, g.examineProcess(ctx)...)
	all = append(all, g.examineRedis(ctx, s)...)
	all = append(all, g.examineWarehouse(ctx, s)...)
	all = append(all, g.examineStored(ctx, s)...)
	all = append(all, examineVersion(g.Warehouse))
	ill := 0
	for _, f := range all {
		mark := "ok  "
		switch {
		case f.fix != "" && f.warning:
			mark = "warn"
		case f.fix != "":
			mark = "FAIL"
			ill++
		}
		say(s.out, "%s  %-20s %s", mark, f.name, f.found)
		if f.fix != "" {
			say(s.out, "      %-20s fix: %s", "", f.fix)
		}
	}
	if ill > 0 {
		say(s.out, "\n%d of %d checks failed", ill, len(all))
		return errReported
	}
	return nil
}

func (g *Globals) examineContracts() []finding {
	all, err := dataset.Load(g.Data)
	if err != nil {
		return []finding{{name: "contracts", found: err.Error(), fix: "mend the files named above; 'estela contract check' tells when they hold"}}
	}
	found := []finding{{name: "contracts", found: strings.Join(dataset.Names(all), ", ")}}
	for _, d := range all {
		for _, w := range d.Warnings() {
			found = append(found, finding{name: "contract " + d.Name, found: w, fix: "see the dataset's contract.json", warning: true})
		}
	}
	return found
}

func (g *Globals) examineRedis(ctx context.Context, s *streams) []finding {
	url, err := g.redisURL(ctx)
	if err != nil {
		return []finding{{
			name: "redis", found: "none given and none runs here", warning: true,
			fix: "give --redis URL; 'estela up' starts one of its own",
		}}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cfg, err := g.config(ctx, url, g.logger(s))
	if err != nil {
		return []finding{{name: "redis", found: err.Error(), fix: "mend what --redis-ca and --redis-auth name"}}
	}
	client, err := stream.Open(ctx, cfg)
	if err != nil {
		return []finding{{name: "redis", found: err.Error(), fix: g.redisFix()}}
	}
	defer func() { _ = client.Close() }()
	info, err := client.Info(ctx)
	if err != nil {
		return []finding{{name: "redis", found: err.Error(), fix: "look at the server's log"}}
	}
	return examineServer(ctx, client, info)
}

// redisFix is what to do about a server that does not answer.
func (g *Globals) redisFix() string {
	if g.Redis != "" {
		return "start the server, or give another --redis URL"
	}
	return "it is the redis-server of the process that runs in " + g.DataDir + ", which starts it again when it ends: " +
		"if this stays, see that process' log, end it and start it again"
}

func examineServer(ctx context.Context, client *stream.Client, info stream.ServerInfo) []finding {
	found := []finding{{name: "redis", found: client.String() + ", version " + info.Version}}
	if info.Embedded {
		return append(found, finding{
			name: "redis persistence", found: "embedded, in memory", warning: true,
			fix: "install redis-server (Debian: apt-get install redis-server)",
		})
	}
	var refused *stream.RefusedError
	if err := client.Check(ctx); errors.As(err, &refused) {
		found = append(found, finding{name: "redis set-up", found: refused.Reason, fix: refused.Hint})
	} else {
		found = append(found, finding{name: "redis set-up", found: "nothing is evicted"})
	}
	persistence := finding{name: "redis persistence", found: "append-only file"}
	if !info.AOF {
		persistence = finding{
			name: "redis persistence", found: "no append-only file", warning: true,
			fix: "redis-cli CONFIG SET appendonly yes, or what was acknowledged is lost when the server restarts",
		}
	}
	clock := finding{name: "clock", found: fmt.Sprintf("Redis' is %s from this machine's", info.ClockSkew.Round(time.Millisecond))}
	if info.ClockSkew.Abs() > maxSkew {
		clock.warning, clock.fix = true, "run NTP on both machines: freshness is measured from Redis' clock"
	}
	return append(found, persistence, clock)
}

func (g *Globals) examineWarehouse(ctx context.Context, s *streams) []finding {
	if running, err := datadir.Running(ctx, g.DataDir); err == nil && running != nil && g.Warehouse == "" {
		return []finding{{name: "warehouse", found: fmt.Sprintf("held by process %d, as it should be", running.PID)}}
	}
	w, err := g.openWarehouse(ctx, nil, true, g.logger(s))
	var locked *warehouse.LockedError
	var extension *warehouse.ExtensionError
	switch {
	case errors.As(err, &locked):
		return []finding{{name: "warehouse", found: err.Error(), fix: fmt.Sprintf("stop process %d, or give its --data-dir", locked.PID)}}
	case errors.As(err, &extension):
		return []finding{{name: "warehouse", found: "MotherDuck can't be reached", fix: err.Error()}}
	case err != nil && g.Warehouse == "":
		return []finding{{name: "warehouse", found: "none yet in " + filepath.Clean(g.DataDir), warning: true, fix: "'estela up' makes it"}}
	case err != nil:
		return []finding{{name: "warehouse", found: err.Error(), fix: "check --warehouse"}}
	}
	defer func() { _ = w.Close() }()
	return []finding{{name: "warehouse", found: w.Location()}}
}

func examineVersion(location string) finding {
	v := warehouse.DuckDBVersion()
	f := finding{name: "DuckDB", found: v}
	if !warehouse.MotherDuckTakes(v) {
		f.fix = "MotherDuck does not take this version: build with a driver in its range"
		f.warning = !strings.HasPrefix(location, "md:")
	}
	return f
}
