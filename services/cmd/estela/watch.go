package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// watchEvery is how often files are looked at. Looking works on every file system
// and mount, which notifications don't.
const watchEvery = 300 * time.Millisecond

// watch follows the files that may change under a running API until ctx ends: the
// API keys always, the datasets where that is wanted.
func (n *node) watch(ctx context.Context, f *listenFlags, app *api.Server) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	seen := n.fingerprint()
	var told string
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if f.keys != nil {
			if err := f.keys.Reload(); err != nil && err.Error() != told {
				told = err.Error() // once
				n.keysFailed(err)
			} else if err == nil {
				told = ""
			}
		}
		if now := n.fingerprint(); f.Watch && now != seen {
			seen = now
			n.reload(ctx, app)
		}
	}
}

// keysFailed says that the file of keys can't be read.
func (n *node) keysFailed(err error) {
	if _, gone := errors.AsType[*api.KeysGoneError](err); gone {
		n.log.Error("API keys are gone, no key is good", slog.Any("error", err))
		return
	}
	n.log.Error("read of API keys failed, keeping those from before", slog.Any("error", err))
}

// reload serves the endpoints as the files have them now; with a fault in them,
// as they were.
func (n *node) reload(ctx context.Context, app *api.Server) {
	all, err := dataset.Load(n.g.Data)
	if err == nil {
		err = n.reregister(ctx, all)
	}
	if err == nil {
		err = app.Load(ctx, dataset.Served(all, warehouse.SystemColumns()))
	}
	if err != nil {
		n.log.Error("keep the endpoints from before", slog.Any("error", err))
		return
	}
	n.log.Info("endpoints loaded again")
}

// reregister makes the views anew. A contract is read at the start only: what is
// stored and what producers were promised depends on it.
func (n *node) reregister(ctx context.Context, all []*dataset.Dataset) error {
	if err := checkSQL(ctx, all); err != nil {
		return err
	}
	for _, d := range all {
		old, err := dataset.Pick(n.datasets, d.Name)
		if err != nil {
			return fmt.Errorf("dataset %s is new: start again to serve it", d.Name)
		}
		if old.Version != d.Version {
			return fmt.Errorf("the contract of %s was changed: start again to apply it", d.Name)
		}
		if n.worker == nil || old.Views == d.Views { // an API apart may not write
			continue
		}
		if err := n.store.Register(ctx, d.Contract, d.Views, d.References); err != nil {
			return err
		}
		old.Views = d.Views
	}
	return nil
}

// fingerprint changes with the files of the datasets.
func (n *node) fingerprint() uint64 {
	sum := fnv.New64a()
	for _, dir := range n.g.Data {
		_ = filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil //nolint:nilerr // a file that has just gone is a change too
			}
			if info, err := entry.Info(); err == nil && !info.IsDir() {
				_, _ = fmt.Fprintln(sum, file, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	return sum.Sum64()
}

// checkWatch refuses to watch what can't change.
func (f *listenFlags) checkWatch(g *Globals) error {
	if f.Watch && len(g.Data) == 0 {
		return fault.Usagef("--watch follows the folders of --data, and there is none: the built-in datasets don't change")
	}
	return nil
}

// loadKeys reads the file of --keys.
func (f *listenFlags) loadKeys() (err error) {
	if f.Keys == "" {
		return nil
	}
	if f.keys, err = api.LoadKeys(f.Keys); err != nil {
		if _, missing := os.Stat(f.Keys); missing == nil {
			return fault.Usage(err)
		}
		return fault.Usagef("%w; 'estela key new NAME' says what to put there", err)
	}
	return nil
}
