package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Publisher publishes events to a dataset by HTTP. It runs until Close, or until ctx ends.
func (c *Client) Publisher(ctx context.Context, dataset string, cfg PublisherConfig) *Publisher {
	cfg = cfg.withDefaults()
	query := url.Values{}
	if cfg.Stored {
		query.Set("durability", "stored")
	}
	if cfg.KeepInvalid {
		query.Set("on-invalid", "reject")
	}
	to := c.url + "/v1/" + url.PathEscape(dataset) + "/events?" + query.Encode()
	return newPublisher(ctx, cfg, func(events [][]byte) func(context.Context) error {
		p := &post{
			client: c, url: to, timeout: cfg.Timeout, stored: cfg.Stored,
			key: rand.Text(), events: len(events), body: bytes.Join(events, []byte{'\n'}),
		}
		return p.send
	})
}

// post is the request that publishes a batch. A repetition of it publishes nothing twice, for it has the same key.
type post struct {
	client  *Client
	url     string
	timeout time.Duration
	stored  bool
	key     string
	events  int
	body    []byte
}

// errNotStored means that the server has waited for the warehouse as long as it does.
var errNotStored = errors.New("the events are in Redis, and the warehouse has not stored them yet")

// send sends the request once.
func (p *post) send(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(p.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Idempotency-Key", p.key)
	res, err := p.client.do(req, http.StatusOK, http.StatusAccepted)
	if err != nil {
		return invalidOf(err)
	}
	defer finish(res)
	var answer struct {
		Events int
		Stored bool
	}
	switch err := json.NewDecoder(res.Body).Decode(&answer); {
	case err != nil:
		return connectionError(fmt.Errorf("read the answer: %w", err))
	case answer.Events != p.events:
		return fmt.Errorf("the server answers that %d events are published, and %d were sent", answer.Events, p.events)
	case p.stored && !answer.Stored:
		return &transientError{error: errNotStored}
	}
	return nil
}

// invalidOf is what a problem says of single events, if it does.
func invalidOf(err error) error {
	problem, ok := errors.AsType[*Problem](err)
	if !ok || !problem.is("invalid-events") || len(problem.Errors) == 0 {
		return err
	}
	invalid := invalidEventsError{}
	for _, v := range problem.Errors {
		index := v.Line - 1
		v.Line = 0
		invalid.add(index, v)
	}
	return invalid
}
