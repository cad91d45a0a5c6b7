package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/client"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/embeddedredis"
	"github.com/estela-dev/estela/services/internal/stream"
)

// Departure is a row of flights/departures.
type Departure struct {
	FlightID   string    `json:"flight_id"`
	OccurredAt time.Time `json:"occurred_at"`
	// Delay is nil where the column is NULL.
	Delay *int64 `json:"arrival_delay_minutes"`
}

// exampleAPI answers as a pipeline does.
func exampleAPI() *httptest.Server {
	answers := map[string]string{
		"GET airport=ATL": `{"data":[{"flight_id":"20010107T2355-ATL-GSO-1","occurred_at":"2001-01-08T04:55:00Z","arrival_delay_minutes":17}],
			"meta":{"as_of":"2026-11-23T22:12:58Z","rows":1,"next":"eyJrIjpb"}}`,
		"GET airport=ATL&cursor=eyJrIjpb": `{"data":[{"flight_id":"20010107T2351-ATL-MIA-1","occurred_at":"2001-01-08T04:51:00Z","arrival_delay_minutes":null}],
			"meta":{"as_of":"2026-11-23T22:12:59Z","rows":1,"next":null}}`,
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			exampleIngest(w, r)
			return
		}
		w.Header().Set("ETag", `"1x4"`)
		if r.Header.Get("If-None-Match") == `"1x4"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = fmt.Fprint(w, answers["GET "+r.URL.RawQuery])
	}))
}

// exampleIngest refuses readings above 60 degrees.
func exampleIngest(w http.ResponseWriter, r *http.Request) {
	var events int
	var invalid []client.Violation
	for d := json.NewDecoder(r.Body); d.More(); {
		var e struct{ Celsius float64 }
		if err := d.Decode(&e); err != nil {
			panic(err)
		}
		if events++; e.Celsius > 60 {
			invalid = append(invalid, client.Violation{Line: events, Pointer: "/celsius", Keyword: "maximum", Detail: fmt.Sprintf("must be at most 60, found %g", e.Celsius)})
		}
	}
	if len(invalid) > 0 {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(client.Problem{Type: "/docs/problems/invalid-events", Title: "Invalid events", Errors: invalid})
		return
	}
	w.WriteHeader(http.StatusAccepted)
	_, _ = fmt.Fprintf(w, `{"events":%d,"rejected":0,"stored":false,"streams":[]}`, events)
}

func ExampleRows() {
	api := exampleAPI()
	defer api.Close()

	c, err := client.New(client.Config{URL: api.URL, Key: os.Getenv("ESTELA_KEY")})
	if err != nil {
		panic(err)
	}
	// type Departure struct {
	// 	FlightID   string    `json:"flight_id"`
	// 	OccurredAt time.Time `json:"occurred_at"`
	// 	Delay      *int64    `json:"arrival_delay_minutes"`
	// }
	for row, err := range client.Rows[Departure](context.Background(), c, "flights/departures", url.Values{"airport": {"ATL"}}) {
		if err != nil {
			panic(err)
		}
		fmt.Println(row.FlightID, row.OccurredAt.Format(time.TimeOnly), row.Delay != nil)
	}
	// Output:
	// 20010107T2355-ATL-GSO-1 04:55:00 true
	// 20010107T2351-ATL-MIA-1 04:51:00 false
}

func ExamplePage_Refresh() {
	api := exampleAPI()
	defer api.Close()

	c, err := client.New(client.Config{URL: api.URL})
	if err != nil {
		panic(err)
	}
	page, err := client.Get[map[string]any](context.Background(), c, "flights/departures", url.Values{"airport": {"ATL"}})
	if err != nil {
		panic(err)
	}
	fmt.Println(len(page.Rows), "row as of", page.AsOf.Format(time.DateTime))

	newer, err := page.Refresh(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println("changed:", newer != page)
	// Output:
	// 1 row as of 2026-11-23 22:12:58
	// changed: false
}

func ExampleClient_Publisher() {
	api := exampleAPI()
	defer api.Close()

	c, err := client.New(client.Config{URL: api.URL, Key: os.Getenv("ESTELA_KEY")})
	if err != nil {
		panic(err)
	}
	p := c.Publisher(context.Background(), "readings", client.PublisherConfig{
		OnInvalid: func(u client.Unpublished) { fmt.Printf("not published: %s: %v\n", u.Event, u.Err) },
	})
	for i := range 3 {
		reading := map[string]any{"id": fmt.Sprint("r", i), "celsius": 59 + i}
		if err := p.Publish(context.Background(), reading); err != nil {
			panic(err)
		}
	}
	if err := p.Close(context.Background()); err != nil {
		panic(err)
	}
	fmt.Println("the others are")
	// Output:
	// not published: {"celsius":61,"id":"r2"}: the event is invalid: /celsius must be at most 60, found 61
	// the others are
}

// ExamplePublishError: what a publisher leaves is in the error of Close.
func ExamplePublishError() {
	api := exampleAPI()
	defer api.Close()

	c, err := client.New(client.Config{URL: api.URL})
	if err != nil {
		panic(err)
	}
	p := c.Publisher(context.Background(), "readings", client.PublisherConfig{})
	for _, event := range []string{`{"id":"a","celsius":7}`, `{"id":"b","celsius":70}`} {
		if err := p.Publish(context.Background(), []byte(event)); err != nil {
			panic(err)
		}
	}
	if left, ok := errors.AsType[*client.PublishError](p.Close(context.Background())); ok {
		for _, u := range left.Events {
			fmt.Println(string(u.Event))
		}
	}
	// Output:
	// {"id":"a","celsius":7}
	// {"id":"b","celsius":70}
}

// exampleRedis is a Redis in which a worker has registered the contract of readings.
func exampleRedis(ctx context.Context) (url string, stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server, err := embeddedredis.Serve(l, 1<<30)
	if err != nil {
		return "", nil, err
	}
	url = "redis://" + l.Addr().String()
	c, err := stream.Open(ctx, stream.Config{URL: url})
	if err != nil {
		return "", nil, err
	}
	k, err := contract.Parse("readings", "contract.json", []byte(strings.ReplaceAll(things, `"p"`, `"id"`)))
	if err != nil {
		return "", nil, err
	}
	return url, server.Close, errors.Join(c.RegisterContract(ctx, k, []string{k.Version}, true), c.Close())
}

func ExampleRedis_Publisher() {
	url, stop, err := exampleRedis(context.Background())
	if err != nil {
		panic(err)
	}
	defer stop()

	r, err := client.OpenRedis(context.Background(), client.RedisConfig{URL: url})
	if err != nil {
		panic(err)
	}
	defer r.Close()
	p, err := r.Publisher(context.Background(), "readings", client.PublisherConfig{})
	if err != nil {
		panic(err)
	}
	if err := p.Publish(context.Background(), []byte(`{"id":"a","n":7}`)); err != nil {
		panic(err)
	}
	fmt.Println(p.Close(context.Background()))
	// Output: <nil>
}
