package api

import (
	"fmt"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
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

// allow takes a token of the client and sets the RateLimit headers. own is the client's rate (a
// second), 0 the server's; if that is 0 too there is no limit.
func (r *rateLimiter) allow(c *fiber.Ctx, client string, own int) error {
	perSecond := r.perSecond
	if own > 0 {
		perSecond = own
	}
	if perSecond == 0 {
		return nil
	}
	limiter, _ := r.limiters.ComputeIfAbsent(client, func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Limit(perSecond), perSecond), false
	})
	if limiter.Burst() != perSecond { // the key's rate was reloaded
		limiter.SetLimit(rate.Limit(perSecond))
		limiter.SetBurst(perSecond)
	}
	now := time.Now()
	ok := limiter.AllowN(now, 1)
	left := strconv.Itoa(max(0, int(limiter.TokensAt(now))))
	c.Set("RateLimit-Policy", `"requests";q=`+strconv.Itoa(perSecond)+`;w=1`)
	c.Set("RateLimit", `"requests";r=`+left+`;t=1`)
	if !ok {
		return rateLimited.new("", fmt.Sprintf("More than %d requests in a second. Wait as long as Retry-After says.", perSecond))
	}
	return nil
}
