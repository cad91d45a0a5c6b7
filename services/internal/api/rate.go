package api

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/valyala/fasthttp"
	"golang.org/x/time/rate"

	"github.com/estela-dev/estela/services/internal/access"
)

// maxClients is the number of clients with a limiter; the least recently used is evicted.
const maxClients = 10_000

// rateLimiter limits the requests of each client with a token bucket.
type rateLimiter struct {
	perSecond int
	limiters  *otter.Cache[string, *rate.Limiter]
}

func newRateLimiter(perSecond int) *rateLimiter {
	return &rateLimiter{perSecond, otter.Must(&otter.Options[string, *rate.Limiter]{MaximumSize: maxClients})}
}

// taken is the outcome of taking a token.
type taken struct {
	ok bool
	// perSecond is the client's rate, 0 without a limit. left is how many tokens there are now.
	perSecond, left int
}

// take takes a token of the request's client, if there is one. The credential's own rate takes
// the place of the server's; if both are 0 there is no limit.
func (r *rateLimiter) take(c *fasthttp.RequestCtx, g *access.Grant, now time.Time) taken {
	t := taken{ok: true, perSecond: cmp.Or(g.Rate, r.perSecond)}
	if t.perSecond == 0 || c.UserValue(paidKey) != nil {
		return t
	}
	limiter, _ := r.limiters.ComputeIfAbsent(clientOf(c, g), func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Limit(t.perSecond), t.perSecond), false
	})
	if limiter.Burst() != t.perSecond { // it was reloaded, or another token has it
		limiter.SetLimit(rate.Limit(t.perSecond))
		limiter.SetBurst(t.perSecond)
	}
	t.ok = limiter.AllowN(now, 1)
	t.left = max(0, int(limiter.TokensAt(now)))
	return t
}

// The headers of the rate limit, as fasthttp would write their names.
var (
	headerRatePolicy = []byte("Ratelimit-Policy")
	headerRate       = []byte("Ratelimit")
)

// setHeaders sets the headers of the rate limit, if there is one.
func (t taken) setHeaders(h *fasthttp.ResponseHeader) {
	if t.perSecond == 0 {
		return
	}
	var b [64]byte
	h.SetCanonical(headerRatePolicy, append(strconv.AppendInt(append(b[:0], `"requests";q=`...), int64(t.perSecond), 10), ";w=1"...))
	h.SetCanonical(headerRate, append(strconv.AppendInt(append(b[:0], `"requests";r=`...), int64(t.left), 10), ";t=1"...))
}

// err returns the problem of a request for which there was no token.
func (t taken) err() error {
	if t.ok {
		return nil
	}
	return rateLimited.new("", fmt.Sprintf("More than %d requests in a second. Wait as long as Retry-After says.", t.perSecond))
}
