package mcp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// maxMessage is the size of the largest message of a client, in bytes. Arguments become a URL, which
// is far shorter.
const maxMessage = 64 << 10

// server is a server of the SDK with the tools of a document.
type server struct {
	*sdk.Server

	api http.RoundTripper

	mu    sync.Mutex
	text  []byte // of the document
	tools []*tool
}

// newServer returns a server of the document's GET operations, which it asks api for.
func newServer(text []byte, api http.RoundTripper) (*server, error) {
	d, tools, err := parse(text)
	if err != nil {
		return nil, err
	}
	s := &server{api: api, Server: sdk.NewServer(&sdk.Implementation{Name: "estela", Title: d.Info.Title, Version: d.Info.Version}, &sdk.ServerOptions{
		Instructions: d.instructions(),
		// Without notifications a client has nothing to listen for, and no request of it stays open.
		Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}},
		// What a key sees is not for another's cache.
		SetCacheable: func(_ context.Context, _ sdk.Request, c *sdk.Cacheable) { c.CacheScope = "private" },
	})}
	s.replace(text, tools)
	return s, nil
}

// replace takes the tools of a document in the place of those before.
func (s *server) replace(text []byte, tools []*tool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := map[string]bool{}
	for _, t := range s.tools {
		gone[t.Name] = true
	}
	for _, t := range tools {
		delete(gone, t.Name)
		s.AddTool(&t.Tool, func(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return t.call(ctx, s.api, r.Params.Arguments)
		})
	}
	for name := range gone {
		s.RemoveTools(name)
	}
	s.text, s.tools = text, tools
}

// refresh reads the document of the API and takes its tools, if they changed.
func (s *server) refresh(ctx context.Context) error {
	text, err := fetch(ctx, s.api)
	if err != nil {
		return err
	}
	s.mu.Lock()
	same := bytes.Equal(text, s.text)
	s.mu.Unlock()
	if same {
		return nil
	}
	_, tools, err := parse(text)
	if err == nil {
		s.replace(text, tools)
	}
	return err
}

// fetch reads the document of the API.
func fetch(ctx context.Context, api http.RoundTripper) ([]byte, error) {
	res, err := get(ctx, api, "/openapi.json")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, refusedBy(res)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read OpenAPI document: %w", err)
	}
	return text, nil
}
