package stream_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

func TestRefusesEviction(t *testing.T) {
	t.Parallel()
	_, client := setup(t, redistest.WithPolicy("allkeys-lru"))
	err := client.Check(t.Context())
	wantErr(t, err, stream.ErrPolicy)
	var refused *stream.RefusedError
	want(t, "typed", errors.As(err, &refused), true)
	want(t, "says what to run", strings.Contains(refused.Hint, "CONFIG SET maxmemory-policy noeviction"), true)
	want(t, "names the policy", strings.Contains(err.Error(), `"allkeys-lru"`), true)
}

func TestRefusesOldVersions(t *testing.T) {
	t.Parallel()
	for version, expected := range map[string]error{
		"6.2.14": stream.ErrVersion, "5.0": stream.ErrVersion, "": stream.ErrVersion,
		"7.0.0": nil, "7.2.4": nil, "10.1": nil,
	} {
		err := stream.ServerInfo{Version: version, Policy: "noeviction"}.Check()
		want(t, version, errors.Is(err, expected), true)
		want(t, version, err == nil, expected == nil)
	}
}

func TestInfoOfServer(t *testing.T) {
	t.Parallel()
	_, client := setup(t, redistest.WithAOF(), redistest.WithMaxMemory(64<<20))
	info, err := client.Info(t.Context())
	must(t, err)
	want(t, "AOF", info.AOF, true)
	want(t, "max memory", info.MaxMemory, 64<<20)
	want(t, "used memory", info.UsedMemory > 0, true)
	want(t, "policy", info.Policy, "noeviction")
	want(t, "version", strings.Count(info.Version, ".") == 2, true)
	want(t, "embedded", info.Embedded, false)
}

func TestServerThatSteppedBack(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	s := shard(t, client, stream.ShardConfig{})
	publish(t, client, 1, 10, stream.ProducerConfig{})
	before, err := s.State(t.Context())
	must(t, err)
	must(t, s.Trim(t.Context(), before.First))
	server.Restart()
	after, err := s.State(t.Context())
	must(t, err)
	want(t, "all is gone", after, event.StreamState{RunID: after.RunID, Now: after.Now})
	want(t, "another run", after.RunID != before.RunID && after.RunID != "", true)

	must(t, s.RaiseLastID(t.Context(), before.Last))
	attach(t, s, 1, event.ID{})
	publish(t, client, 11, 12, stream.ProducerConfig{})
	got, last := drain(t, s)
	wantRange(t, got, 11, 12)
	want(t, "new IDs are above", last.Compare(before.Last), 1)
}

func TestServerThatKeptAll(t *testing.T) {
	t.Parallel()
	server, client := setup(t, redistest.WithAOF())
	s := shard(t, client, stream.ShardConfig{})
	publish(t, client, 1, 10, stream.ProducerConfig{})
	before, err := s.State(t.Context())
	must(t, err)
	must(t, s.Trim(t.Context(), before.First))
	before, err = s.State(t.Context())
	must(t, err)
	server.Restart()
	after, err := s.State(t.Context())
	must(t, err)
	want(t, "another run", after.RunID != before.RunID, true)
	after.RunID, after.Now = before.RunID, before.Now
	want(t, "state", after, before)
}

func TestPasswordIsNeverShown(t *testing.T) {
	t.Parallel()
	const password = "s3cr3tp4ss"
	server := redistest.Start(t, redistest.WithPassword(password))
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	tryOpen := func(url string) string {
		client, err := stream.Open(t.Context(), stream.Config{URL: url, Logger: logger})
		if err == nil {
			shown := client.String()
			must(t, client.Close())
			return shown
		}
		return err.Error()
	}
	addr := server.Addr()
	for _, url := range []string{
		"redis://:" + password + "@" + addr,
		"redis://me:" + password + "@" + addr,
		"redis://:wrong" + password + "@" + addr,
		"redis://:" + password + "@127.0.0.1:1",
		"redis://:" + password + "#@" + addr,
		"redis://:" + password + "%zz@" + addr,
		"redis://:" + password + "/x@" + addr,
		"redis://:a b" + password + "@" + addr,
		"redis://u:" + password,
		"http://:" + password + "@" + addr,
		password + "@" + addr,
		":" + password,
		"redis://:" + password + "@" + addr + "?no_such=1",
		"redis://" + addr + "?password=" + password,
		"unix://:" + password + "@/nowhere.sock",
	} {
		if shown := tryOpen(url) + stream.Redact(url); strings.Contains(shown, password) {
			t.Errorf("%s shows the password: %s", url, shown)
		}
	}
	if strings.Contains(log.String(), password) {
		t.Errorf("the log shows the password: %s", log.String())
	}
	want(t, "where", tryOpen(server.URL()), "redis://:xxxxx@"+addr)
}

// roundTrip publishes and reads over whatever way the URL names.
func roundTrip(t *testing.T, url string) {
	t.Helper()
	carries(t, open(t, url))
}

// carries publishes and reads with the client.
func carries(t *testing.T, client *stream.Client) {
	t.Helper()
	must(t, client.Check(t.Context()))
	s := shard(t, client, stream.ShardConfig{})
	attach(t, s, 1, event.ID{})
	publish(t, client, 1, 3000, stream.ProducerConfig{})
	got, _ := drain(t, s)
	wantRange(t, got, 1, 3000)
}

func TestPasswordAndDatabase(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.WithPassword("p@ss/w:rd"))
	roundTrip(t, "redis://:p%40ss%2Fw%3Ard@"+server.Addr()+"/3")
	server.Do("ACL", "SETUSER", "someone", "on", ">word", "~*", "+@all")
	roundTrip(t, "redis://someone:word@"+server.Addr()+"/4")
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "redis.sock")
	redistest.Start(t, redistest.WithArgs("--unixsocket", socket))
	roundTrip(t, "unix://"+socket)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	secure := redistest.NewTLS(t)
	redistest.Start(t, secure.Option())
	roundTrip(t, secure.URL+"?skip_verify=true")
	_, err := stream.Open(t.Context(), stream.Config{URL: secure.URL})
	want(t, "an unknown certificate is refused", err != nil, true)

	ca, err := os.ReadFile(secure.CA)
	must(t, err)
	client, err := stream.Open(t.Context(), stream.Config{URL: secure.URL + "/1", CA: ca})
	must(t, err)
	t.Cleanup(func() { client.Close() })
	carries(t, client)
	for _, cfg := range []stream.Config{
		{URL: "redis://127.0.0.1:1", CA: ca},
		{URL: secure.URL, CA: []byte("no PEM")},
	} {
		_, err := stream.Open(t.Context(), cfg)
		want(t, "certificates of no use are refused", err != nil && strings.Contains(err.Error(), "certificates"), true)
	}
}

// A token that expires is requested by each new connection: of go-redis' and of
// our own, for reading and for publishing.
func TestLoginChanges(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	grant := func(token string) { server.Do("ACL", "SETUSER", "worker", "reset", "on", ">"+token, "~*", "+@all") }
	var token atomic.Value
	token.Store("first-token")
	grant("first-token")
	login := func(context.Context) (string, string, error) { return "worker", token.Load().(string), nil }
	client, err := stream.Open(t.Context(), stream.Config{URL: server.URL(), Login: login})
	must(t, err)
	t.Cleanup(func() { client.Close() })
	s := shard(t, client, stream.ShardConfig{})
	attach(t, s, 1, event.ID{})
	publish(t, client, 1, 100, stream.ProducerConfig{})
	got, last := drain(t, s)
	wantRange(t, got, 1, 100)

	// The first token ends, and so do the connections that were made with it.
	token.Store("second-token")
	grant("second-token")
	server.Do("CLIENT", "KILL", "USER", "worker")
	publish(t, client, 101, 200, stream.ProducerConfig{})
	_, _, err = s.Read(t.Context())
	want(t, "the reading connection was cut", err != nil, true)
	attach(t, s, 2, last)
	got, _ = drain(t, s)
	wantRange(t, got, 101, 200)

	failing := func(context.Context) (string, string, error) { return "", "", errors.New("no token today") }
	_, err = stream.Open(t.Context(), stream.Config{URL: server.URL(), Login: failing})
	want(t, "the error has the reason", err != nil && strings.Contains(err.Error(), "no token today"), true)
	_, err = stream.Open(t.Context(), stream.Config{URL: "redis://:secret@" + server.Addr(), Login: login})
	want(t, "two passwords are refused", err != nil && !strings.Contains(err.Error(), "secret"), true)
}
