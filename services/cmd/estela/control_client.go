package main

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/operation"
)

// control returns a client of the process that has the warehouse open: the one running on the
// data directory or, if there is none, a server inside this command. So every command works
// through the control interface.
func (g *Globals) control(ctx context.Context, s *streams) (ops *operation.Client, end func() error, err error) {
	running, err := datadir.Running(ctx, g.DataDir)
	if err != nil {
		return nil, nil, err
	}
	if running != nil {
		ops := operation.Dial(running.Control)
		return ops, func() error { ops.Close(); return nil }, nil
	}
	return g.ownControl(ctx, s)
}

// awaitStarted waits until the worker of the process on the data directory has started, if there is one.
func (g *Globals) awaitStarted(ctx context.Context) error {
	running, err := datadir.Running(ctx, g.DataDir)
	if err != nil || running == nil {
		return err
	}
	ops := operation.Dial(running.Control)
	defer ops.Close()
	return ops.AwaitStarted(ctx)
}

// ownControl opens the warehouse in this process and serves the control interface on a socket.
func (g *Globals) ownControl(ctx context.Context, s *streams) (ops *operation.Client, end func() error, err error) {
	all, err := g.load()
	if err != nil {
		return nil, nil, err
	}
	if err := datadir.Make(g.DataDir); err != nil {
		return nil, nil, err
	}
	c, err := newCore(ctx, g, all, false, g.logger(s))
	if err != nil {
		return nil, nil, err
	}
	l, remove, err := operation.Listen(g.DataDir)
	if err != nil {
		return nil, nil, errors.Join(err, c.store.Close())
	}
	server := &operation.Server{Datasets: all, Store: c.store, Metrics: c.metrics, Pipeline: &onDemand{c}}
	ctx, stop := context.WithCancel(ctx)
	var serving errgroup.Group
	serving.Go(func() error { return operation.Serve(ctx, l, server.Handler()) })
	ops = operation.Dial(l.Addr().String())
	return ops, func() error {
		ops.Close()
		stop()
		defer remove()
		return errors.Join(serving.Wait(), c.store.Close())
	}, nil
}

// ask sends one request and decodes its response into out.
func (g *Globals) ask(ctx context.Context, s *streams, request operation.Request, out any) error {
	ops, end, err := g.control(ctx, s)
	if err != nil {
		return err
	}
	err = ops.Do(ctx, request, nil, out)
	if ended := end(); err == nil {
		err = ended
	}
	return err
}
