package api

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/spool"
)

// request is a client's request to an endpoint.
type request struct {
	// key identifies the request in the cache.
	key string
	// pins are parameters with a value of the credential's.
	pins   access.Pins
	format *format
	coding spool.Coding
	path   string
	query  url.Values
	// args are the values of the endpoint's parameters, pinned ones included.
	args map[string]any
	// limit is the highest number of rows to answer with.
	limit int
	// cut: more rows than limit are no error, but left out.
	cut bool
	// after is the cursor, nil without one.
	after *endpoint.Cursor
}

// cacheKey appends a request's cache key to b; the query counts as it was sent. Cache, ETag and single flight
// go by it, so that answers with different pins never meet.
func cacheKey(b []byte, r *route, pins access.Pins, f *format, as spool.Coding, query []byte) []byte {
	b = append(append(append(b, r.id...), f.name...), 0)
	b = append(b, as.Name...)
	if as.Required {
		b = append(b, '!')
	}
	return append(pins.AppendKey(append(b, 0)), query...)
}

// linkTo returns the request's URL with another value of a parameter.
func (q *request) linkTo(name, value string) string {
	other := maps.Clone(q.query)
	other.Set(name, value)
	return q.path + "?" + other.Encode()
}

// parse parses the query string of a negotiated request. It copies what it keeps, for Fiber
// reuses the request's memory.
func (r *route) parse(c *fasthttp.RequestCtx, pageRows int, q request) (request, error) {
	given, err := queryString(c)
	if err != nil {
		return q, err
	}
	q.path, q.query = r.path, url.Values{}
	for name, text := range given {
		q.query.Set(name, text)
	}
	delete(given, "format") // route.format has read it
	q.limit = r.Limit.Rows
	if q.format.draw != nil { // all rows, not a page
		q.limit, pageRows = r.chartRows, r.chartRows
	}
	if q.args, err = r.Pinned(q.pins.Values()); err != nil {
		return q, err // can't be: route.open has checked it
	}
	for _, p := range r.Unpinned(q.pins.Values()) {
		if q.args[p.Name], err = paramValue(p, given); err != nil {
			return q, err
		}
		delete(given, p.Name)
	}
	if len(r.Order) > 0 {
		if err := r.paging(pageRows, &q, given); err != nil {
			return q, err
		}
	}
	if r.adhoc && len(r.Order) == 0 { // an answer in one piece, which may be cut
		if err := r.cut(&q, given); err != nil {
			return q, err
		}
	}
	for name := range given {
		return q, unknownParameter.new(name, r.unknownDetail(name, q.pins))
	}
	return q, nil
}

// queryString decodes the query's parameters, each of which may be given once.
func queryString(c *fasthttp.RequestCtx) (map[string]string, error) {
	given := map[string]string{}
	fail := func(name, detail string) error { return invalidParameter.new(printable(name), detail) }
	for part := range strings.SplitSeq(string(c.URI().QueryString()), "&") {
		if part == "" {
			continue
		}
		rawName, rawText, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return nil, fail(rawName, encodingDetail(err))
		}
		if _, twice := given[name]; twice {
			return nil, fail(name, "It is given more than once.")
		}
		text, err := url.QueryUnescape(rawText)
		switch {
		case err != nil:
			return nil, fail(name, encodingDetail(err))
		case !utf8.ValidString(name+text) || strings.ContainsRune(text, 0):
			return nil, fail(name, "It is not UTF-8 text.")
		}
		given[name] = text
	}
	return given, nil
}

// encodingDetail is the problem's detail for invalid percent-encoding.
func encodingDetail(err error) string {
	var bad url.EscapeError
	errors.As(err, &bad)
	return fmt.Sprintf("It has %q, which is no percent-encoding. In a URL, a percent sign is written %%25.", string(bad))
}

// printable makes a client's text fit for an answer: short and valid UTF-8.
func printable(name string) string {
	if len(name) > 64 {
		name = name[:64]
	}
	return strings.ToValidUTF8(name, "?")
}

// paramValue returns the parameter's value, or its default.
func paramValue(p endpoint.Param, given map[string]string) (any, error) {
	text, ok := given[p.Name]
	if !ok && p.Required {
		return nil, invalidParameter.new(p.Name, "It is required.")
	}
	if !ok {
		return p.Default, nil
	}
	value, err := p.Value(text)
	if err != nil {
		return nil, invalidParameter.new(p.Name, "It "+err.Error()+".")
	}
	return value, nil
}

// cut parses the limit of an ad hoc query without pages.
func (r *route) cut(q *request, given map[string]string) error {
	if _, ok := given["limit"]; !ok {
		return nil
	}
	q.cut = true
	err := r.paging(q.limit, q, map[string]string{"limit": given["limit"]})
	delete(given, "limit")
	return err
}

// paging parses limit and cursor, which every ordered endpoint has; usual is the default limit.
func (r *route) paging(usual int, q *request, given map[string]string) error {
	limit := endpoint.Param{
		Name: "limit", Type: "integer", Default: int64(min(usual, q.limit)),
		Minimum: int64(1), Maximum: int64(q.limit),
	}
	value, err := paramValue(limit, given)
	if err != nil {
		return err
	}
	q.limit = int(value.(int64))
	if text, ok := given["cursor"]; ok {
		if q.after, ok = endpoint.ParseCursor(r.CursorScope(r.path, q.args), text, r.Order); !ok {
			return invalidCursor.new("cursor", "It is not one that this endpoint gave for these parameters. "+
				"Take it from meta.next and leave the other parameters as they were; or begin without one.")
		}
	}
	delete(given, "limit")
	delete(given, "cursor")
	return nil
}

// unknownDetail is the problem's detail for a parameter that the endpoint does not have, or that is pinned.
func (r *route) unknownDetail(name string, pins access.Pins) string {
	if len(r.Order) == 0 && (name == "limit" || name == "cursor") {
		return "This endpoint answers in one piece, without pages."
	}
	names := make([]string, 0, len(r.Params)+2)
	for _, p := range r.Unpinned(pins.Values()) {
		names = append(names, p.Name)
	}
	if len(r.Order) > 0 {
		names = append(names, "limit", "cursor")
	}
	if len(names) == 0 {
		return "This endpoint has no parameters."
	}
	return fmt.Sprintf("This endpoint has the parameters %s.", strings.Join(names, ", "))
}
