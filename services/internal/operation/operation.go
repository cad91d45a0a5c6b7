// Package operation is what operators ask of the process that has a warehouse: health, metrics,
// and what reads the warehouse or changes it. A Server answers on the control socket and,
// with the token, over HTTP; a Client asks.
package operation

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

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/inventory"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/telemetry"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/worker"
)

// stopGrace is how long requests in flight may take when the process stops.
const stopGrace = 5 * time.Second

// Server answers for one process.
type Server struct {
	Datasets []*dataset.Dataset
	Store    *warehouse.Warehouse
	Metrics  *telemetry.Metrics
	Pipeline Pipeline
}

// Pipeline reaches Redis and the worker, whether they are this process's or not.
type Pipeline interface {
	// Unready lists why the process can't do its work; empty means ready.
	Unready(ctx context.Context) []string
	// Redis is a connection to use until release.
	Redis(ctx context.Context) (client *stream.Client, release func(), err error)
	// Worker is one that runs until release, which returns how it ended.
	Worker(ctx context.Context) (w *worker.Worker, release func() error, err error)
	// Commit stores a batch that was not read from a stream.
	Commit(ctx context.Context, b *contract.Batch) error
}

// Handler serves health, metrics and, under /ops/, the operations. Only the control socket
// reaches /ops/ without a token: see RequireToken.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", s.Metrics.Handler())
	mux.HandleFunc("GET /ops/events/{id...}", jsonHandler(s.locate))
	mux.HandleFunc("GET /ops/contracts", jsonHandler(s.inventory))
	mux.HandleFunc("GET /ops/rejects", jsonHandler(s.listRejects))
	mux.HandleFunc("GET /ops/rejects/{dataset}/{id...}", s.forDataset(s.showReject))
	mux.HandleFunc("POST /ops/rejects/{dataset}/replay", s.forDataset(s.replayRejects))
	mux.HandleFunc("POST /ops/rejects/{dataset}/purge", s.forDataset(s.purgeRejects))
	mux.HandleFunc("POST /ops/replay/{dataset}", s.forDataset(s.replay))
	mux.HandleFunc("GET /ops/backfill/{dataset}", s.forDataset(s.checkVersion))
	mux.HandleFunc("POST /ops/backfill/{dataset}", s.forDataset(s.backfill))
	return mux
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if reasons := s.Pipeline.Unready(ctx); len(reasons) > 0 {
		http.Error(w, strings.Join(reasons, "\n"), http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ready")
}

// RequireToken lets nobody to /ops/ who does not have the token. Without a token set
// nobody comes in from the network at all.
func RequireToken(next http.Handler, token string) http.Handler {
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

// Serve answers on the listener until ctx ends, then lets requests finish.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
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

// Listen opens the control socket in the data directory, for its owner alone.
func Listen(dataDir string) (l net.Listener, remove func(), err error) {
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

// Status is the HTTP status of an error: 400 if the caller can correct the question, 409 if it
// was refused, else 500; 200 for nil.
func Status(err error) int {
	var usage fault.UsageError
	var endpoint *endpoint.ParseError
	var refused fault.RefusedError
	var loss *worker.LossError
	var schema *contract.SchemaError
	var table *warehouse.RefusedError
	var server *stream.RefusedError
	var other *event.OtherWarehouseError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &usage), errors.As(err, &endpoint):
		return http.StatusBadRequest
	case errors.As(err, &loss), errors.As(err, &schema), errors.As(err, &refused), errors.As(err, &table), errors.As(err, &server), errors.As(err, &other):
		return http.StatusConflict
	default:
		return http.StatusInternalServerError
	}
}

// jsonHandler makes a handler that writes what f returns as JSON, or its error as plain text.
func jsonHandler(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		if err != nil {
			http.Error(w, err.Error(), Status(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody to answer
	}
}

// forDataset makes a handler for the dataset in the request's path.
func (s *Server) forDataset(f func(*http.Request, *dataset.Dataset) (any, error)) http.HandlerFunc {
	return jsonHandler(func(r *http.Request) (any, error) {
		d, err := dataset.Pick(s.Datasets, r.PathValue("dataset"))
		if err != nil {
			return nil, err
		}
		return f(r, d)
	})
}

// selected is the dataset that the request's query names, all without one.
func (s *Server) selected(r *http.Request) ([]*dataset.Dataset, error) {
	name := r.URL.Query().Get("dataset")
	if name == "" {
		return s.Datasets, nil
	}
	d, err := dataset.Pick(s.Datasets, name)
	return []*dataset.Dataset{d}, err
}

// Inventory asks for an inventory.Inventory of the process's warehouse.
func Inventory() Request { return Request{http.MethodGet, "/ops/contracts", nil} }

func (s *Server) inventory(r *http.Request) (any, error) { return inventory.Take(r.Context(), s.Store) }

// commit stores a batch and counts it.
func (s *Server) commit(ctx context.Context, d *dataset.Dataset, b *contract.Batch) error {
	start := time.Now()
	if err := s.Pipeline.Commit(ctx, b); err != nil {
		return err
	}
	s.Metrics.Stored(d.Name, b, time.Since(start))
	return nil
}
