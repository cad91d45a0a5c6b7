package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"

	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/mcp"
)

type mcpCmd struct {
	API string `name:"api" help:"URL of the API, with a path before /v1 if it has one. An API key is read from ESTELA_API_KEY. Default: the API of the process on the data directory." placeholder:"URL"`
}

// Run is 'estela mcp'.
func (c *mcpCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	to, err := c.url(ctx, g)
	if err != nil {
		return err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()
	err = mcp.Serve(ctx, &mcp.Remote{URL: to, Key: os.Getenv(apiKeyVariable), Transport: transport}, s.in, s.out)
	if refused, ok := errors.AsType[*mcp.RefusedError](err); ok && refused.Status == http.StatusUnauthorized {
		return fault.Usagef("the API at %s: %w The variable %s has the key.", to.Redacted(), err, apiKeyVariable)
	}
	return err
}

// url returns the API's URL.
func (c *mcpCmd) url(ctx context.Context, g *Globals) (*url.URL, error) {
	if c.API != "" {
		return httpURL("--api", c.API)
	}
	running, err := datadir.Running(ctx, g.DataDir)
	switch {
	case err != nil:
		return nil, err
	case running == nil:
		return nil, fault.Usagef("nothing runs on %s: start 'estela up' there, or give --api URL", g.DataDir)
	case running.API == "":
		return nil, fault.Usagef("process %d on %s serves no API: give --api URL", running.PID, g.DataDir)
	}
	return &url.URL{Scheme: "http", Host: running.API}, nil
}
