package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/problem"
	"github.com/estela-dev/estela/services/internal/spool"
)

// Server takes the events of datasets.
type Server struct {
	cfg     Config
	ctx     context.Context //nolint:containedctx // the server's: when it ends, nobody waits for the warehouse
	limiter *limiter
	space   *spool.Space
	parcels map[string]*sync.Pool // by dataset
}

// New returns a server. When ctx ends, requests wait no longer until their events are stored.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, ctx: ctx, space: spool.NewSpace(spool.Limits{Bytes: cfg.SpoolBytes, Grace: time.Hour}),
		parcels: map[string]*sync.Pool{},
	}
	s.limiter = newLimiter(&s.cfg)
	for _, k := range cfg.Contracts {
		if !k.Stream.HasFields() { // whose entries only their own producers write
			s.parcels[k.Name] = &sync.Pool{New: func() any { return newParcel(k) }}
		}
	}
	return s, nil
}

// Takes reports whether the dataset takes events.
func (s *Server) Takes(dataset string) bool { return s.parcels[dataset] != nil }

// Kinds are the kinds of problems that Post answers with.
func (s *Server) Kinds() []problem.Kind { return slices.Clone(kinds) }

// Observe passes the outcome of a request to Config.Observer.
func (s *Server) Observe(dataset string, status int, problem string) {
	s.cfg.Observer.Posted(dataset, status, problem)
}

// Load returns how many requests are in flight, and how many wait, or will, until their events are stored.
func (s *Server) Load() (inFlight, waiting int) { return s.limiter.load() }

// options are what a request asks for.
type options struct {
	keep, stored bool
	key          string // Idempotency-Key
	trace        string // traceparent, if it is sampled
	layout       layout
	events       form
}

// form is what a document is.
type form int

const (
	plain form = iota
	structured
	binary
)

// Post takes the events of a request to the dataset, which takes some, and answers it. rate is the client's own
// number of requests a second, 0 for the server's; watch calls left when the client has left. It returns how many
// events were published, and the bytes that were received, without their compression.
func (s *Server) Post(c *fiber.Ctx, dataset, client string, rate int, watch func(left func()) (stop func())) (events int, bytes int64, err error) {
	opts, err := optionsOf(c.Context())
	if err != nil {
		return 0, 0, err
	}
	admitted, err := s.limiter.admit(client, rate, opts.stored, time.Now())
	if err != nil {
		return 0, 0, err
	}
	defer admitted.release()
	var server string // of before the events are added to it
	if opts.stored {
		if server, err = s.cfg.Publisher.Server(s.ctx); err != nil {
			return 0, 0, publishProblem(err)
		}
	}
	taken, bytes, err := s.take(c.Context(), dataset, client, opts, admitted)
	if err != nil {
		return 0, bytes, err
	}
	admitted.published()
	answer := taken.answer()
	status := http.StatusAccepted
	if opts.stored && s.await(server, taken, answer, watch) {
		status = http.StatusOK
	}
	return taken.events, bytes, c.Status(status).JSON(answer)
}

// optionsOf reads the query and the headers.
func optionsOf(c *fasthttp.RequestCtx) (opts options, err error) {
	for name, value := range c.QueryArgs().All() {
		switch text := string(value); {
		case len(c.QueryArgs().PeekMultiBytes(name)) > 1:
			return opts, invalidParameter.New(strings.ToValidUTF8(string(name[:min(len(name), 64)]), "?"), "It is given more than once.")
		case string(name) == "on-invalid" && (text == "reject" || text == "refuse"):
			opts.keep = text == "reject"
		case string(name) == "durability" && (text == "stored" || text == "accepted"):
			opts.stored = text == "stored"
		case string(name) == "on-invalid":
			return opts, invalidParameter.New("on-invalid", "It is refuse, which is the default, or reject.")
		case string(name) == "durability":
			return opts, invalidParameter.New("durability", "It is accepted, which is the default, or stored.")
		default:
			return opts, unknownParameter.New(strings.ToValidUTF8(string(name[:min(len(name), 64)]), "?"), "A POST of events has the parameters on-invalid and durability.")
		}
	}
	if trace := c.Request.Header.Peek("Traceparent"); contract.Sampled.Match(trace) {
		opts.trace = string(trace)
	}
	if opts.key, err = idempotencyKey(c); err != nil {
		return opts, err
	}
	return opts, opts.contentType(c)
}

// keyText is an Idempotency-Key: a text as structured headers have it (RFC 9651), or the same without its
// quotation marks.
var keyText = regexp.MustCompile(`^(?:"([ !#-\[\]-~]{1,255})"|([!#-\[\]-~]{1,255}))$`)

// idempotencyKey is that of the request, "" without one.
// https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
func idempotencyKey(c *fasthttp.RequestCtx) (string, error) {
	given := c.Request.Header.PeekAll("Idempotency-Key")
	if len(given) == 0 {
		return "", nil
	}
	found := keyText.FindStringSubmatch(string(given[0]))
	if len(given) > 1 || found == nil {
		return "", badRequest.New("", `Idempotency-Key is 1 to 255 printable ASCII characters, once, such as "8e03978e-40d5-43e8-bc93-6894a57f9324".`)
	}
	return found[1] + found[2], nil
}

// contentType decides by Content-Type what the body has.
func (o *options) contentType(c *fasthttp.RequestCtx) error {
	kind, params, err := mime.ParseMediaType(string(c.Request.Header.ContentType()))
	charset := strings.ToLower(params["charset"])
	switch {
	case err != nil && len(c.Request.Header.ContentType()) > 0, charset != "" && charset != "utf-8" && charset != "us-ascii":
		return unsupportedType.New("", "The Content-Type is not one media type in UTF-8.")
	case kind == "application/cloudevents+json":
		o.layout, o.events = one, structured
	case kind == "application/cloudevents-batch+json":
		o.layout, o.events = array, structured
	case isBinary(&c.Request.Header) && kind != "" && !isJSON(kind):
		return unsupportedType.New("", "The headers ce-… make it a CloudEvent, whose data is one JSON object. Send events of another type without them.")
	case isBinary(&c.Request.Header):
		o.layout, o.events = one, binary
	case kind == "application/json":
		o.layout = document
	case kind == "application/x-ndjson", kind == "application/ndjson", kind == "application/jsonl", kind == "application/x-jsonlines":
		o.layout = lines
	default:
		return unsupportedType.New("", "Send application/json (an event or an array), application/x-ndjson, application/cloudevents+json or application/cloudevents-batch+json.")
	}
	return nil
}

// taken is what was published of a request.
type taken struct {
	contract        *contract.Contract
	events, invalid int
	added           []event.Range // by shard
}

// take reads, checks and publishes the events. It returns the size of the body too, without its compression.
func (s *Server) take(c *fasthttp.RequestCtx, dataset, client string, opts options, admitted *admission) (t *taken, size int64, err error) {
	pool := s.parcels[dataset]
	p := pool.Get().(*parcel) //nolint:forcetypeassert // the pool's type
	defer pool.Put(p)
	p.reset(opts, func() *spool.Writer { return s.space.Writer(client, spool.Coding{}, s.cfg.SpoolBytes, nil) })
	defer p.discard()
	size, err = s.read(c, p, opts)
	admitted.spend(size)
	if err != nil {
		return nil, size, err
	}
	if err := p.problem(); err != nil {
		return nil, size, err
	}
	if err := p.sealAll(); err != nil {
		return nil, size, err
	}
	var once *event.Request
	if opts.key != "" {
		once = &event.Request{Key: client + "\n" + opts.key, Body: p.fingerprint()}
	}
	publication := newPublication(p, s.cfg.Publisher, once)
	if p.contract.Stream == nil { // else entries are what its own producers write
		publication.trace = opts.trace
	}
	added, err := publication.run()
	if err != nil {
		return nil, size, err
	}
	s.cfg.Observer.Accepted(dataset, p.taken, p.invalid, size, time.Since(c.Time()))
	return &taken{p.contract, p.taken, p.invalid, added}, size, nil
}

// read reads the body into the parcel and returns its size without compression. After an error the rest of it
// is not read, and the connection ends.
func (s *Server) read(c *fasthttp.RequestCtx, p *parcel, opts options) (size int64, err error) {
	defer func() {
		if err != nil {
			c.SetConnectionClose()
		}
	}()
	in, err := newBody(&s.cfg, c)
	if err != nil {
		return 0, err
	}
	defer in.close()
	p.splitter.reset(in, opts.layout, s.cfg.MaxLine)
	for {
		doc, line, err := p.splitter.next()
		if errors.Is(err, io.EOF) && (opts.events != binary || line != 1) {
			return in.size, nil
		}
		if err != nil && !errors.Is(err, io.EOF) { // a CloudEvent whose data is absent has no body
			return in.size, err
		}
		if line > s.cfg.MaxEvents {
			return in.size, tooLarge.New("", fmt.Sprintf("The body has more than %d events or lines. Send several requests.", s.cfg.MaxEvents))
		}
		if err := p.take(&c.Request.Header, doc, line, opts.events); err != nil {
			return in.size, err
		}
	}
}

// take adds a document, which may be a CloudEvent.
func (p *parcel) take(h *fasthttp.RequestHeader, doc []byte, line int, as form) error {
	var wrong *event.Violation
	switch as {
	case structured:
		doc, wrong = p.events.structured(doc)
	case binary:
		doc, wrong = p.events.binary(h, doc)
	case plain:
	}
	if wrong != nil { // no event of the dataset, valid or not
		p.taken++
		p.keep = false
		p.report(line, []event.Violation{*wrong})
		return nil
	}
	return p.add(doc, line)
}

// answer is the body of an answer.
type answer struct {
	Events   int  `json:"events"`
	Rejected int  `json:"rejected"`
	Stored   bool `json:"stored"`
	// Streams are those of the shards that got some.
	Streams []streamAnswer `json:"streams"`
}

// streamAnswer is what one shard's stream got.
type streamAnswer struct {
	Shard  int    `json:"shard"`
	Events int    `json:"events"`
	First  string `json:"first"`
	Last   string `json:"last"`
	// Position is up to where the shard is stored.
	Position string `json:"position,omitempty"`
}

func (t *taken) answer() *answer {
	a := &answer{Events: t.events, Rejected: t.invalid, Streams: []streamAnswer{}}
	for shard, r := range t.added {
		if r.Events > 0 {
			a.Streams = append(a.Streams, streamAnswer{Shard: shard, Events: r.Events, First: r.First.String(), Last: r.Last.String()})
		}
	}
	return a
}

// await waits until all is stored or the client leaves, and reports whether it is stored.
func (s *Server) await(server string, t *taken, a *answer, watch func(left func()) (stop func())) bool {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.StoredTimeout)
	defer cancel()
	defer watch(cancel)()
	for i := range a.Streams {
		one := &a.Streams[i]
		at, err := s.cfg.Publisher.Await(ctx, server, t.contract, one.Shard, t.added[one.Shard].Last)
		if err != nil {
			return false
		}
		one.Position = at.String()
	}
	a.Stored = true
	return true
}

// Operation is the OpenAPI operation of the POST to the dataset.
func (s *Server) Operation(dataset string) map[string]any {
	for _, k := range s.cfg.Contracts {
		if k.Name == dataset {
			return operation(k)
		}
	}
	return nil
}
