package submission_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/ci/submission"
)

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// The default of the Dagger function.
func TestEndpointIsTheChallenges(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../submit.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), "// +default=\"https://advana-challenge-check-api-cr-k4hdbggvoq-uc.a.run.app/devops\"\n\tendpoint string") {
		t.Errorf("submit.go posts elsewhere:\n%s", source)
	}
}

func TestSendPostsExactlyTheJSON(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		body, _ := io.ReadAll(r.Body)
		want := `{"name":"Pedro Picapiedra","mail":"Pedro.picapiedra@example.com","github_url":"https://github.com/ppicapiedra/tu-latam-challenge.git"}`
		if r.Method != http.MethodPost || r.URL.Path != "/devops" || r.Header.Get("Content-Type") != "application/json" || string(body) != want {
			t.Errorf("got %s %s %q %s", r.Method, r.URL, r.Header, body)
		}
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"status":"OK","detail":"your request was received"}`)
	})
	answer, err := submission.Send(t.Context(), http.Client{}, server.URL+"/devops", valid())
	if err != nil {
		t.Fatal(err)
	}
	if want := "201 Created\n{\"status\":\"OK\",\"detail\":\"your request was received\"}"; answer != want {
		t.Errorf("got %q, want %q", answer, want)
	}
	if requests.Load() != 1 {
		t.Errorf("%d requests", requests.Load())
	}
}

func TestSendRefusesWithoutARequest(t *testing.T) {
	t.Parallel()
	server := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	broken := valid()
	broken.Mail = "pedro"
	for _, c := range []struct {
		name, endpoint, want string
		submission           submission.Submission
	}{
		{"invalid", server.URL, `mail "pedro"`, broken},
		{"no endpoint", "", "no http or https URL", valid()},
		{"no scheme", strings.TrimPrefix(server.URL, "http://127.0.0.1"), "read endpoint", valid()},
		{"another scheme", "ftp://example.com/devops", "no http or https URL", valid()},
		{"no host", "https:///devops", "no http or https URL", valid()},
		{"no URL", "https://u:pass word@example.com:x/", "it is no URL", valid()},
	} {
		_, err := submission.Send(t.Context(), *server.Client(), c.endpoint, c.submission)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "word@") {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
}

func TestSendShowsWhatRefused(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"detail":"mail \u001b[31m is taken"}`+"\x1b[31m", http.StatusUnprocessableEntity)
	})
	_, err := submission.Send(t.Context(), *server.Client(), server.URL, valid())
	if err == nil || !strings.Contains(err.Error(), "422 Unprocessable Entity\n") || !strings.Contains(err.Error(), "is taken") {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "\x1b") {
		t.Errorf("what drives a terminal got through: %q", err)
	}
}

func TestSendFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		var requests atomic.Int32
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if requests.Add(1) == 1 {
				w.Header().Set("Location", "/login")
				w.WriteHeader(status)
			}
		})
		answer, err := submission.Send(t.Context(), *server.Client(), server.URL, valid())
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("not accepted, the answer was %d ", status)) || requests.Load() != 1 {
			t.Errorf("%d: answer %q, error %v, %d requests", status, answer, err, requests.Load())
		}
		if server.Client().CheckRedirect != nil {
			t.Error("the caller's client was changed")
		}
	}
}

func TestSendBoundsTheBody(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := strings.Repeat("x", 1<<10)
		for range 1 << 12 {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	})
	answer, err := submission.Send(t.Context(), *server.Client(), server.URL, valid())
	if body, cut := strings.CutPrefix(answer, "200 OK (the first 64 KiB)\n"); err != nil || !cut || len(body) != 64<<10 {
		t.Errorf("got %d bytes, %v", len(answer), err)
	}
}

func TestSendSaysWhenItIsNotKnown(t *testing.T) {
	t.Parallel()
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		server := serve(t, func(http.ResponseWriter, *http.Request) {})
		server.Close()
		_, err := submission.Send(t.Context(), http.Client{}, server.URL, valid())
		if err == nil || !strings.Contains(err.Error(), "not known to have arrived") || !strings.Contains(err.Error(), server.URL) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("too slow", func(t *testing.T) {
		t.Parallel()
		release := make(chan struct{})
		server := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
		defer close(release)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := submission.Send(ctx, *server.Client(), server.URL, valid()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "half")
		})
		_, err := submission.Send(t.Context(), *server.Client(), server.URL, valid())
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "did arrive: 200 OK\nhalf") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("with a time limit of its own", func(t *testing.T) {
		t.Parallel()
		client := http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			if end, ok := r.Context().Deadline(); !ok || time.Until(end) > time.Minute {
				t.Error("the request has no time limit")
			}
			return nil, io.ErrClosedPipe
		})}
		if _, err := submission.Send(t.Context(), client, "https://u:password@example.com", valid()); !errors.Is(err, io.ErrClosedPipe) || strings.Contains(err.Error(), "password") {
			t.Errorf("got %v", err)
		}
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnswerForAPerson(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status     int
		body, want string
	}{
		{200, "", "200 OK (no body)"},
		{299, " \n", "299 (no body)"},
		{200, "a\tb\r\nc\u202e\n", "200 OK\na\tb\nc"},
	} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		got, err := submission.Send(t.Context(), *server.Client(), server.URL, valid())
		if err != nil || got != c.want {
			t.Errorf("got %q, %v, want %q", got, err, c.want)
		}
	}
}
