package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/worker"
)

// control speaks to the process that has the warehouse: the one that runs on
// the data directory or, when there is none, one that lives as long as the
// command. So every command has one way only.
type control struct {
	http http.Client
	end  func() error
}

// control finds or makes the process to speak to.
func (g *Globals) control(ctx context.Context, s *streams) (*control, error) {
	running, err := datadir.Running(ctx, g.DataDir)
	if err != nil {
		return nil, err
	}
	if running != nil {
		return dialControl(running.Control, func() error { return nil }), nil
	}
	return g.ownControl(ctx, s)
}

func dialControl(socket string, end func() error) *control {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	return &control{http.Client{Transport: transport}, func() error {
		transport.CloseIdleConnections()
		return end()
	}}
}

// ownControl opens the warehouse here and serves the control interface on a
// socket of its own.
func (g *Globals) ownControl(ctx context.Context, s *streams) (*control, error) {
	n := &node{g: g, log: g.logger(s)}
	var err error
	if n.datasets, err = dataset.Load(g.Data); err != nil {
		return nil, err
	}
	if err := datadir.Make(g.DataDir); err != nil {
		return nil, err
	}
	n.metrics = n.measured()
	if n.store, err = g.openWarehouse(ctx, n.datasets, false, n.log); err != nil {
		return nil, err
	}
	l, remove, err := listenControl(g.DataDir)
	if err != nil {
		return nil, errors.Join(err, n.store.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	var serving errgroup.Group
	serving.Go(func() error { return serve(ctx, l, n.opsHandler()) })
	return dialControl(l.Addr().String(), func() error {
		stop()
		defer remove()
		return errors.Join(serving.Wait(), n.stopRedis(), n.store.Close())
	}), nil
}

// withWorker starts a worker for a command that needs one, where none runs.
func (n *node) withWorker(ctx context.Context) (stop func() error, err error) {
	if n.worker != nil {
		return func() error { return nil }, nil
	}
	if n.redis == nil {
		url, err := n.g.redisURL(ctx)
		if err != nil {
			return nil, err
		}
		if n.redis, err = n.g.openRedis(ctx, url, n.log); err != nil {
			return nil, err
		}
	}
	if err := n.addWorker(ctx, worker.Config{}); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- n.runWorker(running) }()
	return func() error {
		cancel()
		defer func() { n.worker = nil }()
		return <-ended
	}, nil
}

func (n *node) stopRedis() error {
	if n.redis == nil {
		return nil
	}
	return n.redis.Close()
}

// redisURL is the server that the flags or the running process name.
func (g *Globals) redisURL(ctx context.Context) (string, error) {
	if g.Redis != "" {
		return g.Redis, nil
	}
	running, err := datadir.Running(ctx, g.DataDir)
	if err != nil {
		return "", err
	}
	if running == nil || running.Redis == "" {
		return "", fault.Usagef("no Redis: nothing runs in %s; start 'estela up' there, or give --redis or --data-dir", g.DataDir)
	}
	return running.Redis, nil
}

// readSome reads what is meant for a person.
func readSome(from io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(from, 64<<10))
	return string(text), err
}

// patience is how long a question may take; what stores rows takes as long as it takes.
const patience = 30 * time.Second

// call asks the control interface and decodes its JSON answer into out.
func (c *control) call(ctx context.Context, method, path string, query url.Values, body io.Reader, out any) error {
	if method == http.MethodGet {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, patience, fmt.Errorf("it has not answered for %s, is stopped or stuck", patience))
		defer cancel()
	}
	target := url.URL{Scheme: "http", Host: "estela", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("ask the process that has the warehouse: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := readSome(resp.Body)
		err := errors.New(strings.TrimSpace(text))
		switch resp.StatusCode {
		case http.StatusBadRequest:
			return fault.Usage(err)
		case http.StatusConflict:
			return fault.Refused(err)
		}
		return err
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	return nil
}
