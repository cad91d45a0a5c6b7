package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// NewHandler returns the handler of POST for the clients for whom the document is. A call of a tool
// is a GET by api, in the context of the POST's values; api adds the client's credentials. A panic is an error
// to the client, and logged.
//
// Who the client is and where it comes from (Host, Origin) is checked by the caller.
func NewHandler(document []byte, api http.RoundTripper, log *slog.Logger) (http.Handler, error) {
	s, err := newServer(document, api)
	if err != nil {
		return nil, err
	}
	s.AddReceivingMiddleware(recovering(log))
	return oneMessage(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s.Server }, &sdk.StreamableHTTPOptions{
		Stateless: true, JSONResponse: true, DisableLocalhostProtection: true,
	})), nil
}

// oneMessage refuses bodies that are too large, and batches: in one request a client could call a
// tool a thousand times, at once.
func oneMessage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
		_, large := errors.AsType[*http.MaxBytesError](err)
		switch {
		case large:
			http.Error(w, fmt.Sprintf("A message has at most %d KiB.", maxMessage>>10), http.StatusRequestEntityTooLarge)
		case err != nil:
			http.Error(w, "The message did not arrive whole, or not in time.", http.StatusBadRequest)
		case bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")):
			http.Error(w, "A request has one message: batches are not answered.", http.StatusBadRequest)
		default:
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		}
	})
}

// recovering makes an error of a panic. The SDK calls its handlers in goroutines of their own, where one would
// end the process.
func recovering(log *slog.Logger) sdk.Middleware {
	return func(next sdk.MethodHandler) sdk.MethodHandler {
		return func(ctx context.Context, method string, r sdk.Request) (result sdk.Result, err error) {
			defer func() {
				if p := recover(); p != nil {
					log.LogAttrs(ctx, slog.LevelError, "agent's message failed", slog.String("method", method), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
					result, err = nil, errors.New("the server failed; its log has the reason")
				}
			}()
			return next(ctx, method, r)
		}
	}
}
