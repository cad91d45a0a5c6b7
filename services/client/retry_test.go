package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/estela-dev/estela/services/client"
)

// answer is what a server answers.
func answer(status int, body string, headers ...string) *http.Response {
	res := &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i < len(headers); i += 2 {
		res.Header.Set(headers[i], headers[i+1])
	}
	return res
}

// attempt is a request that was sent, and when.
type attempt struct {
	at        time.Time
	key, body string
}

// script answers requests one after the other, the last answer for ever.
func script(attempts *[]attempt, answers ...func() (*http.Response, error)) roundTripper {
	return func(req *http.Request) (*http.Response, error) {
		one := attempt{at: time.Now(), key: req.Header.Get("Idempotency-Key")}
		if req.Body != nil {
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return nil, err
			}
			one.body = string(body)
		}
		*attempts = append(*attempts, one)
		return answers[min(len(*attempts), len(answers))-1]()
	}
}

func answers(status int, body string, headers ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return answer(status, body, headers...), nil }
}

func fails() (*http.Response, error) { return nil, errors.New("connection refused") }

const accepted = `{"events":1,"rejected":0,"stored":false}`

// TestRetries: a batch is sent again, the same under the same key, at growing random times and not before Retry-After.
func TestRetries(t *testing.T) {
	t.Parallel()
	firsts := map[time.Duration]bool{}
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			var attempts []attempt
			var waits int
			p := dial(t, "estela", script(&attempts,
				fails, answers(429, `{"title":"Too many requests"}`, "Retry-After", "7"), answers(502, "<html>"),
				answers(503, "{}", "Retry-After", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)),
				answers(202, `{"events":`), answers(202, accepted),
			)).Publisher(t.Context(), "things", client.PublisherConfig{OnRetry: func(error, time.Duration) { waits++ }})
			must(t, p.Publish(t.Context(), numbered(1)))
			must(t, p.Publish(t.Context(), numbered(2)))
			if err := p.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "answers that 1 events are published, and 2 were sent") {
				t.Errorf("a wrong count: %v", err)
			}
			if len(attempts) != 6 || waits != 5 {
				t.Fatalf("%d attempts, %d waits", len(attempts), waits)
			}
			after := []time.Duration{0, 7 * time.Second, 0, 50 * time.Second, 0}
			most := []time.Duration{100 * time.Millisecond, 7200 * time.Millisecond, 400 * time.Millisecond, 61 * time.Second, 1600 * time.Millisecond}
			for i, wait := range after {
				got := attempts[i+1].at.Sub(attempts[i].at)
				if got < wait || got > most[i] {
					t.Errorf("wait %d is %s, want %s to %s", i, got, wait, most[i])
				}
				if attempts[i+1].body != attempts[0].body || attempts[i+1].key != attempts[0].key || attempts[0].key == "" {
					t.Errorf("attempt %d is %+v, the first was %+v", i+1, attempts[i+1], attempts[0])
				}
			}
			firsts[attempts[1].at.Sub(attempts[0].at)] = true
		})
	}
	if len(firsts) < 10 {
		t.Errorf("the first of 20 waits had %d lengths: there is no jitter", len(firsts))
	}
}

// TestKeys: each batch has a key of its own.
func TestKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts []attempt
		p := dial(t, "estela", script(&attempts, answers(202, accepted))).Publisher(t.Context(), "things", client.PublisherConfig{BatchEvents: 1})
		must(t, p.Publish(t.Context(), numbered(1)))
		must(t, p.Publish(t.Context(), numbered(1)))
		must(t, p.Close(t.Context()))
		if len(attempts) != 2 || attempts[0].key == attempts[1].key || attempts[0].body != attempts[1].body {
			t.Errorf("%+v", attempts)
		}
	})
}

// TestFinal: what no retry can change ends the publisher at once.
func TestFinal(t *testing.T) {
	t.Parallel()
	for says, res := range map[string]func() (*http.Response, error){
		"API key required (401): Send one.": answers(401, `{"title":"API key required","detail":"Send one."}`),
		"HTTP status Not Found (404)":       answers(404, "<html>"),
		"(422)":                             answers(422, `{"type":"/docs/problems/idempotency-key-reused","title":"x"}`),
	} {
		synctest.Test(t, func(t *testing.T) {
			var attempts []attempt
			p := dial(t, "estela", script(&attempts, res)).Publisher(t.Context(), "things", client.PublisherConfig{})
			must(t, p.Publish(t.Context(), numbered(1)))
			err := p.Close(t.Context())
			left, ok := errors.AsType[*client.PublishError](err)
			if !ok || len(attempts) != 1 || len(left.Events) != 1 || string(left.Events[0].Event) != numbered(1).line() || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v after %d attempts", says, err, len(attempts))
			}
		})
	}
}

// TestBackPressure: while the server is away a publisher takes two batches, one that is sent and one that is filled; and
// Close returns both, in order, when its time is over.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts []attempt
		p := dial(t, "estela", script(&attempts, fails)).Publisher(t.Context(), "things", client.PublisherConfig{BatchEvents: 10})
		hour, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		taken := 0
		var err error
		for ; err == nil; taken++ {
			err = p.Publish(hour, numbered(taken))
		}
		if taken--; taken != 20 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d events are taken: %v", taken, err)
		}
		began := time.Now()
		minute, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = p.Close(minute)
		left, ok := errors.AsType[*client.PublishError](err)
		if !ok || time.Since(began) != time.Minute || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
			t.Fatalf("%v after %s", err, time.Since(began))
		}
		if len(attempts) < 366 || len(attempts) > 1500 { // 5 s apart on average
			t.Errorf("%d attempts in an hour and a minute", len(attempts))
		}
		if len(left.Events) != 20 {
			t.Fatalf("%d are left", len(left.Events))
		}
		for n, u := range left.Events {
			if string(u.Event) != numbered(n).line() {
				t.Errorf("%d is %s", n, u.Event)
			}
		}
	})
}

// TestContextEnds: a publisher ends with its context, and says what is left.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts []attempt
		ctx, cancel := context.WithCancel(t.Context())
		p := dial(t, "estela", script(&attempts, fails)).Publisher(ctx, "things", client.PublisherConfig{BatchEvents: 2})
		for n := range 3 {
			must(t, p.Publish(t.Context(), numbered(n)))
		}
		cancel()
		left, ok := errors.AsType[*client.PublishError](p.Close(t.Context()))
		if !ok || len(left.Events) != 3 || !errors.Is(left, context.Canceled) {
			t.Errorf("%v", left)
		}
	})
}

// TestTimeout: a server that doesn't answer is asked again.
func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began, asked := time.Now(), 0
		p := dial(t, "estela", roundTripper(func(req *http.Request) (*http.Response, error) {
			if asked++; asked == 1 {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}
			return answer(202, accepted), nil
		})).Publisher(t.Context(), "things", client.PublisherConfig{Timeout: 3 * time.Second})
		must(t, p.Publish(t.Context(), numbered(1)))
		must(t, p.Close(t.Context()))
		if took := time.Since(began); asked != 2 || took < 3*time.Second || took > 4*time.Second {
			t.Errorf("asked %d times in %s", asked, took)
		}
	})
}

// TestStoredLater: an answer that the events are not stored yet is no end.
func TestStoredLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts []attempt
		p := dial(t, "estela", script(&attempts, answers(202, accepted), answers(202, accepted), answers(200, strings.Replace(accepted, "false", "true", 1)))).
			Publisher(t.Context(), "things", client.PublisherConfig{Stored: true})
		must(t, p.Publish(t.Context(), numbered(1)))
		must(t, p.Close(t.Context()))
		if len(attempts) != 3 || attempts[2].key != attempts[0].key {
			t.Errorf("%+v", attempts)
		}
	})
}

// TestReadRetries: a read is retried for as long as its patience, also one whose answer breaks off.
func TestReadRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts []attempt
		brokenOff := func() (*http.Response, error) {
			res := answer(200, "")
			res.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"data":[{"n":1`), failing{}))
			return res, nil
		}
		c := dial(t, "estela", script(&attempts, fails, brokenOff, answers(503, "{}", "Retry-After", "2"), answers(200, `{"data":[{"n":1}],"meta":{"as_of":null,"rows":1,"next":null}}`)))
		page, err := client.Get[thing](t.Context(), c, "things/all", nil)
		if err != nil || len(page.Rows) != 1 || page.Rows[0].N != 1 || !page.AsOf.IsZero() || page.Next != "" || len(attempts) != 4 {
			t.Errorf("%+v, %v after %d attempts", page, err, len(attempts))
		}

		began := time.Now()
		_, err = client.Get[thing](t.Context(), dial(t, "estela", roundTripper(func(*http.Request) (*http.Response, error) { return fails() })), "things/all", nil)
		if took := time.Since(began); err == nil || !strings.HasPrefix(err.Error(), "ask /v1/things/all: ") || took > 30*time.Second || took < 15*time.Second {
			t.Errorf("%v after %s", err, took)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = client.Get[thing](ctx, dial(t, "estela", roundTripper(func(*http.Request) (*http.Response, error) { return answer(503, "{}", "Retry-After", "20"), nil })), "things/all", nil)
		if problem, ok := errors.AsType[*client.Problem](err); !errors.Is(err, context.DeadlineExceeded) || !ok || problem.RetryAfter != 20*time.Second {
			t.Error(err)
		}

		attempts = nil
		impatient, err := client.New(client.Config{URL: "http://estela", Patience: -1, HTTP: &http.Client{Transport: script(&attempts, fails)}})
		must(t, err)
		if _, err := client.Get[thing](t.Context(), impatient, "things/all", nil); err == nil || len(attempts) != 1 {
			t.Errorf("%v after %d attempts", err, len(attempts))
		}
	})
}

// failing is a body that breaks off.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A key that was read from a file ends with a line break; one that no request can carry is refused, not retried.
func TestAPIKey(t *testing.T) {
	t.Parallel()
	var sent string
	to := &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		sent = req.Header.Get("Authorization")
		return answer(http.StatusOK, `{"data":[],"meta":{}}`), nil
	})}
	c, err := client.New(client.Config{URL: "http://a.example", Key: "secret\n", HTTP: to})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get[thing](t.Context(), c, "things/all", nil); err != nil || sent != "Bearer secret" {
		t.Errorf("%v: sent %q", err, sent)
	}
	for _, key := range []string{"two\nlines", "a b", "ñ", "\x00"} {
		if _, err := client.New(client.Config{URL: "http://a.example", Key: key}); err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// Limits below zero are the default ones.
func TestNegativeLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts []attempt
		c, err := client.New(client.Config{URL: "http://a.example", HTTP: &http.Client{Transport: script(&attempts, answers(http.StatusOK, accepted))}})
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		p := c.Publisher(ctx, "things", client.PublisherConfig{BatchEvents: -1, BatchBytes: -1, Timeout: -1})
		must(t, p.Publish(ctx, numbered(1)))
		must(t, p.Close(ctx))
		if len(attempts) != 1 {
			t.Errorf("%d attempts", len(attempts))
		}
	})
}

// A server that asks for more time than a duration has is not asked again at once.
func TestEndlessRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts []attempt
		c, err := client.New(client.Config{URL: "http://a.example", Patience: time.Hour, HTTP: &http.Client{
			Transport: script(&attempts, answers(http.StatusServiceUnavailable, "", "Retry-After", "18446744074")),
		}})
		must(t, err)
		if _, err := client.Get[thing](t.Context(), c, "things/all", nil); err == nil || len(attempts) != 1 {
			t.Errorf("%v after %d attempts", err, len(attempts))
		}
	})
}
