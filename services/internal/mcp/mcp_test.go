package mcp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/mcp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// document is a document with one operation a path, whose parameters are given.
func document(operations map[string]string) string {
	var paths []string
	for path, parameters := range operations {
		paths = append(paths, fmt.Sprintf(`%q: {"get": {"operationId": %q, "summary": "A summary.", "parameters": [%s], "responses": {"200": {"content": {"application/json": {"schema":
			{"type": "object", "properties": {"data": {"type": "array", "items": {"properties": {"z": {"x-estela": {"unit": "km"}}, "a": {}}}}, "meta": {"$ref": "#/components/schemas/Meta"}}}}}}}},
			"post": {"operationId": "no_tool"}}`, path, strings.ReplaceAll(strings.TrimPrefix(path, "/v1/"), "/", "_"), parameters))
	}
	return `{"info": {"title": "Estela", "version": "1"}, "tags": [{"name": "d", "description": "A dataset."}], "paths": {` + strings.Join(paths, ",") + `}, "components": {"schemas": {"Meta": {"type": "object", "title": "the meta"}}}}`
}

// fake is an API.
type fake struct {
	document atomic.Pointer[string]
	answer   http.HandlerFunc
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/base/openapi.json" && r.Header.Get("Authorization") == "Bearer estela_k" {
		_, _ = io.WriteString(w, *f.document.Load())
		return
	}
	f.answer(w, r)
}

// serve serves the fake API below /base to the SDK's client over pipes.
func serve(t *testing.T, text string, answer http.HandlerFunc) (*fake, *sdk.ClientSession) {
	t.Helper()
	f := &fake{answer: answer}
	f.document.Store(&text)
	remote := listen(t, f)
	toServer, fromClient := io.Pipe()
	toClient, fromServer := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- mcp.Serve(t.Context(), remote, toServer, fromServer) }()
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &sdk.IOTransport{Reader: toClient, Writer: fromClient}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(session.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	return f, session
}

func listen(t *testing.T, h http.Handler) *mcp.Remote {
	t.Helper()
	server := httptest.NewServer(h)
	transport := &http.Transport{}
	t.Cleanup(func() { transport.CloseIdleConnections(); server.Close() })
	base, err := url.Parse(server.URL + "/base/")
	if err != nil {
		t.Fatal(err)
	}
	return &mcp.Remote{URL: base, Key: "estela_k", Transport: transport}
}

func list(t *testing.T, session *sdk.ClientSession) string {
	t.Helper()
	all, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range all.Tools {
		names = append(names, tool.Name)
	}
	return strings.Join(names, " ")
}

const limit = `{"name": "limit", "schema": {"type": "integer", "default": 5}}, {"name": "cursor", "schema": {"type": "string"}}`

// A call is a GET below the URL of the API, with the key and the arguments, and its answer the result,
// digit by digit.
func TestRemote(t *testing.T) {
	t.Parallel()
	const answer = `{"data":[{"n":9007199254740993,"d":0.10,"t":"<é>"}],"meta":{}}`
	_, session := serve(t, document(map[string]string{"/v1/d/e": `{"name": "q", "required": true, "schema": {"type": "string"}},` + limit}), func(w http.ResponseWriter, r *http.Request) {
		if got := r.Method + " " + r.URL.String() + " " + r.Header.Get("Authorization") + " " + r.Header.Get("Accept"); got != "GET /base/v1/d/e?limit=5&q=a+%26b%3Dc%23%2F Bearer estela_k application/json" {
			t.Error(got)
		}
		_, _ = io.WriteString(w, answer+"\n")
	})
	result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "d_e", Arguments: map[string]any{"q": "a &b=c#/"}})
	if err != nil || result.IsError || result.Content[0].(*sdk.TextContent).Text != answer {
		t.Errorf("%v %+v", err, result)
	}
}

func TestRemoteTools(t *testing.T) {
	t.Parallel()
	f, session := serve(t, document(map[string]string{"/v1/d/e": "", "/v1/d/gone": limit}), http.NotFound)
	if got := list(t, session); got != "d_e d_gone" {
		t.Error(got)
	}
	all, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := json.Marshal(all.Tools[0].OutputSchema)
	if want := `"meta":{"title":"the meta","type":"object"}`; err != nil || !strings.Contains(string(schema), want) {
		t.Errorf("%v %s", err, schema)
	}
	if about := all.Tools[0].Description; !strings.HasPrefix(about, "A summary.") || !strings.HasSuffix(about, "Columns: z (km), a.") {
		t.Error(about)
	}
	if about := session.InitializeResult().Instructions; !strings.Contains(about, "- d: A dataset.\n") {
		t.Error(about)
	}
	next := document(map[string]string{"/v1/d/e": "", "/v1/d/new": ""})
	f.document.Store(&next)
	if got := list(t, session); got != "d_e d_new" {
		t.Error(got)
	}
	broken := "<html>"
	f.document.Store(&broken)
	if _, err := session.ListTools(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "read OpenAPI document") {
		t.Error(err)
	}
	f.document.Store(&next)
	if got := list(t, session); got != "d_e d_new" {
		t.Error(got)
	}
}

// Whatever the API answers is a result that says so.
func TestRemoteRefusals(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	var body atomic.Pointer[string]
	_, session := serve(t, document(map[string]string{"/v1/d/e": ""}), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://elsewhere.example/")
		if status.Load() == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "3")
		}
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, *body.Load())
	})
	for _, c := range []struct {
		status     int
		body, want string
	}{
		{429, `{"title": "Too many requests", "detail": "More than 1."}`, "Too many requests: More than 1. Try again in 3 s."},
		{400, `{"title": "Invalid parameter", "detail": "It is required.", "parameter": "q"}`, "Invalid parameter q: It is required."},
		{302, "", "the API answered with status 302 and no problem document"},
		{502, "<html>", "the API answered with status 502 and no problem document"},
		{200, "<html>", "something else than JSON"},
		{200, "", "something else than JSON"},
		{200, `{"data":["` + strings.Repeat("x", 128<<10) + `"]}`, "This endpoint has no parameter to narrow it"},
	} {
		status.Store(int64(c.status))
		body.Store(&c.body)
		result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "d_e"})
		if err != nil || !result.IsError || !strings.Contains(result.Content[0].(*sdk.TextContent).Text, c.want) {
			t.Errorf("%d %.40s: %v %+v", c.status, c.body, err, result)
		}
	}
}

// A cancelled call ends its GET.
func TestRemoteCancelled(t *testing.T) {
	t.Parallel()
	begun, ended := make(chan struct{}), make(chan struct{})
	_, session := serve(t, document(map[string]string{"/v1/d/e": ""}), func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(ended)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if _, err := session.CallTool(ctx, &sdk.CallToolParams{Name: "d_e"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the GET goes on")
	}
}

// Serve fails if there is no API to offer, and ends with its context, whatever its client does.
func TestServe(t *testing.T) {
	t.Parallel()
	f := &fake{answer: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"title": "API key required", "detail": "Send one."}`)
	}}
	text := document(nil)
	f.document.Store(&text)
	remote := listen(t, f)
	remote.Key = ""
	var refused *mcp.RefusedError
	if err := mcp.Serve(t.Context(), remote, strings.NewReader(""), io.Discard); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized || err.Error() != "API key required: Send one." {
		t.Error(err)
	}
	remote.Key = "estela_k"
	broken := `{"paths": {"/v1/d/e": {"get": {"operationId": "d_e", "responses": {"200": {"content": {"application/json": {"schema": {"properties": 1}}}}}}}}}`
	for text, want := range map[string]string{"[]": "read OpenAPI document", broken: "operation d_e"} {
		f.document.Store(&text)
		if err := mcp.Serve(t.Context(), remote, strings.NewReader(""), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	f.document.Store(&text)
	if err := mcp.Serve(t.Context(), remote, strings.NewReader(""), io.Discard); err != nil {
		t.Errorf("no input: %v", err)
	}
	if err := mcp.Serve(t.Context(), remote, strings.NewReader("garbage\n"), io.Discard); err == nil || !strings.Contains(err.Error(), "read a message, which is JSON-RPC on a line: ") {
		t.Errorf("garbage: %v", err)
	}
	in, client := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, stop)
	if err := mcp.Serve(ctx, remote, in, io.Discard); err != nil {
		t.Errorf("stopped: %v", err)
	}
	client.Close()
}

// FuzzServe reads any input: it ends, and what it writes is a message a line.
func FuzzServe(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}` + "\n" + `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`,
		`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, "\x00", "{}", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"d_e","arguments":[]}}`,
	} {
		f.Add(seed)
	}
	api := answers(func(r *http.Request) string {
		if r.URL.Path == "/openapi.json" {
			return document(map[string]string{"/v1/d/e": limit})
		}
		return `{"data":[]}`
	})
	remote := &mcp.Remote{URL: &url.URL{Scheme: "http", Host: "localhost"}, Transport: api}
	f.Fuzz(func(t *testing.T, in string) {
		var out strings.Builder
		_ = mcp.Serve(t.Context(), remote, strings.NewReader(in), &out)
		for lines := bufio.NewScanner(strings.NewReader(out.String())); lines.Scan(); {
			if !json.Valid(lines.Bytes()) {
				t.Errorf("%q: %q", in, lines.Text())
			}
		}
	})
}

// answers is an API in memory.
type answers func(r *http.Request) string

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a(r)))}, nil
}

// tripper is an API.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A panic in a goroutine of the SDK doesn't end the process, and its reason is in the log alone.
func TestPanicIsAnError(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h, err := mcp.NewHandler([]byte(document(map[string]string{"/v1/d/a": ""})), tripper(func(*http.Request) (*http.Response, error) { panic("a secret") }), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"d_a"}}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if text := w.Body.String(); !strings.Contains(text, `"message":"the server failed; its log has the reason"`) || strings.Contains(text, "secret") {
		t.Error(text)
	}
	if text := log.String(); !strings.Contains(text, `panic="a secret"`) || !strings.Contains(text, "method=tools/call") {
		t.Error(text)
	}
}
