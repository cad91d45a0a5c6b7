// Package operation is the operators' interface to the process that has a warehouse open: health,
// metrics, and operations on its data. A Server serves it on the control socket and, with a token,
// over HTTP; a Client sends requests.
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

// Server serves the operations of one process.
type Server struct {
	Datasets []*dataset.Dataset
	Store    *warehouse.Warehouse
	Metrics  *telemetry.Metrics
	Pipeline Pipeline
}

// Pipeline gives access to Redis and a worker, of this process or opened on demand.
type Pipeline interface {
	// Unready returns why the process is not ready; none if it is.
	Unready(ctx context.Context) []string
	// Redis returns a client to use until release.
	Redis(ctx context.Context) (client *stream.Client, release func(), err error)
	// Worker returns a worker that runs at least until release, which returns its error.
	Worker(ctx context.Context) (w *worker.Worker, release func() error, err error)
	// Commit stores a batch that was not read from a stream.
	Commit(ctx context.Context, b *contract.Batch) error
}

// Handler serves health, metrics and, under /ops/, the operations. Except on the control socket it
// must be wrapped in RequireToken.
func (s *Server) Handler() http.Handler {
	mux := Health(s.Pipeline.Unready, s.Metrics.Handler())
	mux.HandleFunc("GET /ops/started", jsonHandler(s.started))
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

// Health serves health and metrics alone. unready returns why the process is not ready, one reason a line of
// the 503; nothing if it does its job. That is not affected by what a start goes on with in the background: a Redis
// of the process' own that loads its data, the takeover of shards and the keys of their dedupe windows. Reads are
// answered meanwhile.
func Health(unready func(ctx context.Context) []string, metrics http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if reasons := unready(ctx); len(reasons) > 0 {
			http.Error(w, strings.Join(reasons, "\n"), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", metrics)
	return mux
}

// RequireToken rejects requests to /ops/ without the bearer token; with an empty token, all of them.
func RequireToken(next http.Handler, token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		right := ok && token != "" && subtle.ConstantTimeCompare([]byte(got), []byte(token)) == 1
		if strings.HasPrefix(r.URL.Path, "/ops/") && !right {
			http.Error(w, "give the token of ESTELA_OPS_TOKEN as a bearer token, or use the control socket in the data directory",
				http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Serve serves on the listener until ctx ends, then drains requests in flight.
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

// Listen opens the control socket in the data directory, with access for its owner only.
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

// Status returns the HTTP status of an error: 400 if the caller can correct the request, 409 if it was
// refused, else 500; 200 for nil.
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

// jsonHandler returns a handler that writes the result of f as JSON, or its error as plain text.
func jsonHandler(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		if err != nil {
			http.Error(w, err.Error(), Status(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // fails if the client is gone
	}
}

// forDataset returns a handler for the dataset in the request's path.
func (s *Server) forDataset(f func(*http.Request, *dataset.Dataset) (any, error)) http.HandlerFunc {
	return jsonHandler(func(r *http.Request) (any, error) {
		d, err := dataset.Pick(s.Datasets, r.PathValue("dataset"))
		if err != nil {
			return nil, err
		}
		return f(r, d)
	})
}

// selected returns the dataset of the request's query, all without one.
func (s *Server) selected(r *http.Request) ([]*dataset.Dataset, error) {
	name := r.URL.Query().Get("dataset")
	if name == "" {
		return s.Datasets, nil
	}
	d, err := dataset.Pick(s.Datasets, name)
	return []*dataset.Dataset{d}, err
}

// started answers once the worker has connected to Redis and registered its contracts.
func (s *Server) started(r *http.Request) (any, error) {
	_, release, err := s.Pipeline.Redis(r.Context())
	if err == nil {
		release()
	}
	return struct{}{}, err
}

// Inventory requests the inventory.Inventory of the warehouse.
func Inventory() Request { return Request{http.MethodGet, "/ops/contracts", nil} }

func (s *Server) inventory(r *http.Request) (any, error) { return inventory.Take(r.Context(), s.Store) }

// commit stores a batch and adds it to the metrics.
func (s *Server) commit(ctx context.Context, d *dataset.Dataset, b *contract.Batch) error {
	start := time.Now()
	if err := s.Pipeline.Commit(ctx, b); err != nil {
		return err
	}
	s.Metrics.Stored(d.Name, b, time.Since(start))
	return nil
}
