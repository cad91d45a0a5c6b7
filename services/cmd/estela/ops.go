package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/dataset"
)

// stopGrace is how long requests under way may take when the process stops.
const stopGrace = 5 * time.Second

// opsHandler serves what operators ask for: health, metrics, and under /ops/
// what looks into or changes the warehouse. Only the control socket reaches
// /ops/ without a token; on a listener it needs ESTELA_OPS_TOKEN.
func (n *node) opsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", n.readyz)
	mux.Handle("GET /metrics", n.metrics.Handler())
	mux.HandleFunc("GET /ops/events/{id...}", n.showEvent)
	mux.HandleFunc("GET /ops/contracts", n.showInventory)
	mux.HandleFunc("GET /ops/rejects", n.listRejects)
	mux.HandleFunc("GET /ops/rejects/{dataset}/{id...}", n.showReject)
	mux.HandleFunc("POST /ops/rejects/{dataset}/replay", n.replayRejects)
	mux.HandleFunc("POST /ops/rejects/{dataset}/purge", n.purgeRejects)
	mux.HandleFunc("POST /ops/replay/{dataset}", n.replayStream)
	mux.HandleFunc("GET /ops/backfill/{dataset}", n.mayBackfill)
	mux.HandleFunc("POST /ops/backfill/{dataset}", n.backfill)
	return mux
}

func (n *node) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if reasons := n.unready(ctx); len(reasons) > 0 {
		http.Error(w, strings.Join(reasons, "\n"), http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ready")
}

// guarded lets nobody to /ops/ who does not hold the token. Without a token set
// nobody comes in from the network at all.
func guarded(next http.Handler, token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		right := ok && token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1
		if strings.HasPrefix(r.URL.Path, "/ops/") && !right {
			http.Error(w, "give the token of ESTELA_OPS_TOKEN as a bearer token, or use the control socket in the data directory",
				http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serve answers on the listener until ctx ends, then lets requests finish.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	stopped := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
	})()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	}
	<-stopped
	return nil
}

// listen opens a TCP listener; the error names the flag that chooses another.
func listen(address, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", address) //nolint:noctx // nothing is looked up
	if err != nil {
		return nil, fmt.Errorf("listen on %s (choose another with %s): %w", address, flag, err)
	}
	return l, nil
}

// listenControl opens the control socket in the data directory, for its owner
// alone.
func listenControl(dataDir string) (l net.Listener, remove func(), err error) {
	file, remove, err := datadir.Socket(dataDir, "control.sock")
	if err != nil {
		return nil, nil, err
	}
	if l, err = net.Listen("unix", file); err != nil { //nolint:noctx // nothing is looked up
		remove()
		return nil, nil, fmt.Errorf("listen on control socket: %w", err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		remove()
		return nil, nil, errors.Join(fmt.Errorf("protect control socket: %w", err), l.Close())
	}
	return l, remove, nil
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody to tell
}

// refuse answers an error of the control interface in plain text.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch exitCode(err) {
	case exitUsage:
		status = http.StatusBadRequest
	case exitRefused:
		status = http.StatusConflict
	}
	http.Error(w, err.Error(), status)
}

// dataset finds the one in the request's path, or answers what there is.
func (n *node) dataset(w http.ResponseWriter, r *http.Request) (*dataset.Dataset, bool) {
	d, err := dataset.Pick(n.datasets, r.PathValue("dataset"))
	if err != nil {
		refuse(w, err)
	}
	return d, err == nil
}

// among is the dataset that the request's query names, all without one, or it answers what
// there is.
func (n *node) among(w http.ResponseWriter, r *http.Request) ([]*dataset.Dataset, bool) {
	name := r.URL.Query().Get("dataset")
	if name == "" {
		return n.datasets, true
	}
	d, err := dataset.Pick(n.datasets, name)
	if err != nil {
		refuse(w, err)
	}
	return []*dataset.Dataset{d}, err == nil
}
