package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/dataset"
)

// watchEvery is how often files are polled. Unlike notifications, polling works on every file system
// and mount.
const watchEvery = 300 * time.Millisecond

// watcher reloads the files of a running API: the keys always, the datasets with --watch.
type watcher struct {
	core *core
	api  *api.Server
	// streams: the reports of the endpoints' tests go there.
	streams *streams
	access  *access.Authenticator // nil without keys
	// files: reload the datasets, too. writes: this process may recreate their views.
	files, writes bool
}

// run polls the files until ctx ends.
func (w *watcher) run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	seen := w.fingerprint()
	var logged string
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if w.access != nil {
			if err := w.access.Reload(); err != nil && err.Error() != logged {
				logged = err.Error() // once
				w.logKeys(err)
			} else if err == nil {
				logged = ""
			}
		}
		if now := w.fingerprint(); w.files && now != seen {
			seen = now
			w.reload(ctx)
		}
	}
}

// logKeys logs that a file of keys can't be read.
func (w *watcher) logKeys(err error) {
	if gone, ok := errors.AsType[*access.MissingError](err); ok {
		w.core.log.Error("key file is missing, rejecting all that it would verify", slog.String("keys", gone.What), slog.Any("error", err))
		return
	}
	w.core.log.Error("reload of keys failed, keeping the previous ones", slog.Any("error", err))
}

// reload reloads the endpoints; if the files have an error, the previous ones stay.
func (w *watcher) reload(ctx context.Context) {
	all, err := w.core.g.load()
	if err == nil {
		err = w.register(ctx, all)
	}
	if err == nil {
		err = w.api.Load(ctx, served(all))
	}
	if ctx.Err() != nil {
		return
	}
	w.core.edited.set(err)
	if err != nil {
		w.core.log.Error("reload of endpoints failed, keeping the previous ones", slog.Any("error", err))
		return
	}
	w.core.log.Info("reloaded endpoints")
	if err := new(endpointTestCmd).test(ctx, w.core.g, w.streams, all); err != nil {
		w.core.log.Error("tests of endpoints failed", slog.Any("error", err))
	}
}

// register recreates the views. A changed contract needs a restart: the stored rows and the producers
// depend on it.
func (w *watcher) register(ctx context.Context, all []*dataset.Dataset) error {
	if err := checkSQL(ctx, all); err != nil {
		return err
	}
	for _, d := range all {
		old, err := dataset.Pick(w.core.datasets, d.Name)
		if err != nil {
			return fmt.Errorf("dataset %s is new: restart to serve it", d.Name)
		}
		if old.Version != d.Version {
			return fmt.Errorf("the contract of %s was changed: restart to apply it", d.Name)
		}
		if !w.writes || old.Views == d.Views {
			continue
		}
		if err := w.core.store.Register(ctx, d.Contract, d.Views, d.References); err != nil {
			return err
		}
		old.Views = d.Views
	}
	return nil
}

// watched are the extensions of the files that are reloaded.
var watched = []string{".sql", ".json", ".csv"}

// fingerprint hashes the names, sizes and times of the datasets' files. The directory may have others,
// such as the data directory of this process.
func (w *watcher) fingerprint() uint64 {
	sum := fnv.New64a()
	for _, dir := range w.core.g.Data {
		_ = filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil //nolint:nilerr // a file that has just gone is a change too
			case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && file != dir:
				return fs.SkipDir
			}
			if info, err := entry.Info(); err == nil && slices.Contains(watched, filepath.Ext(file)) {
				_, _ = fmt.Fprintln(sum, file, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	return sum.Sum64()
}
