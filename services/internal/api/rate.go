package api

import (
	"fmt"
	"strconv"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/valyala/fasthttp"
	"golang.org/x/time/rate"
)

// maxClients is the number of clients with a limiter; the least recently used is evicted.
const maxClients = 10_000

// rateLimiter limits the requests of each client with a token bucket.
type rateLimiter struct {
	perSecond int
	policy    []byte // for clients without a rate of their own
	limiters  *otter.Cache[string, *rate.Limiter]
}

func newRateLimiter(perSecond int) *rateLimiter {
	return &rateLimiter{perSecond, ratePolicy(perSecond), otter.Must(&otter.Options[string, *rate.Limiter]{MaximumSize: maxClients})}
}

// ratePolicy returns the header RateLimit-Policy.
func ratePolicy(perSecond int) []byte { return fmt.Appendf(nil, `"requests";q=%d;w=1`, perSecond) }

// taken is the outcome of taking a token.
type taken struct {
	ok bool
	// perSecond is the client's rate, 0 without a limit, policy its header. left is how many tokens
	// there are now.
	perSecond int
	policy    []byte
	left      int
}

// take takes a token of the request's client, if there is one. The key's own rate takes the place of
// the server's; if both are 0 there is no limit.
func (r *rateLimiter) take(c *fasthttp.RequestCtx, key *Key, now time.Time) taken {
	t := taken{ok: true, perSecond: r.perSecond, policy: r.policy}
	if key != nil && key.Rate > 0 {
		t.perSecond, t.policy = key.Rate, key.policy
	}
	if t.perSecond == 0 {
		return t
	}
	limiter, _ := r.limiters.ComputeIfAbsent(clientOf(c, key), func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Limit(t.perSecond), t.perSecond), false
	})
	if limiter.Burst() != t.perSecond { // the key's rate was reloaded
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
	h.SetCanonical(headerRatePolicy, t.policy)
	h.SetCanonical(headerRate, append(strconv.AppendInt(append(b[:0], `"requests";r=`...), int64(t.left), 10), ";t=1"...))
}

// err returns the problem of a request for which there was no token.
func (t taken) err() error {
	if t.ok {
		return nil
	}
	return rateLimited.new("", fmt.Sprintf("More than %d requests in a second. Wait as long as Retry-After says.", t.perSecond))
}
