package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/worker"
)

const (
	// lanes are pipelines whose workers are killed side by side: each kill
	// waits for a lease to end.
	lanes = 4
	// killsInLane times lanes are 200 kills.
	killsInLane = 50
	killLease   = 400 * time.Millisecond
)

// TestChaosKilledWorker kills workers with SIGKILL, 200 times, at each step of a batch
// and of its commit and at random moments, while a producer writes. The last one
// finishes.
func TestChaosKilledWorker(t *testing.T) {
	t.Parallel()
	for lane := range lanes {
		staged, shards := lane%2 == 1, 1+lane/2
		t.Run(fmt.Sprintf("staged=%t,shards=%d", staged, shards), func(t *testing.T) {
			t.Parallel()
			p := setup(t, setting{staged: staged, shards: shards, apart: true, lease: killLease})
			stop := p.publishing(p.client, 40, 50*time.Millisecond)
			random := rand.New(rand.NewPCG(uint64(lane), 7))
			for kill := range killsInLane {
				p.killOne(random, kill+lane)
			}
			stop()
			p.openStore()
			p.drain(p.work())
			p.verify()
			want(t, "entries that were split over commits", p.number(`SELECT count(*) FROM (SELECT 1 FROM chaos
				GROUP BY _shard, _stream_ms, _stream_seq HAVING count(DISTINCT _ingested_at) > 1)`), 0)
			rows, rejects := p.model.Size()
			t.Logf("%d kills, %d rows, %d rejects, %d owners of shard 0", killsInLane, rows, rejects, p.position(0).Epoch)
		})
	}
}

// killOne runs a worker in a process of its own until it is dead.
func (p *pipeline) killOne(random *rand.Rand, turn int) {
	p.t.Helper()
	o := orders{
		URL: p.redis.URL(), Location: p.location, Staged: p.staged, Shards: p.shards, Stream: p.stream,
		Nth: 1 + random.Int64N(5), Owner: fmt.Sprintf("killed-%d", turn),
	}
	switch at := turn % (len(steps) + len(points) + 1); {
	case at < len(steps):
		o.Kill = steps[at]
	case at < len(steps)+len(points):
		o.Kill = "commit " + string(points[at-len(steps)])
	}
	var after time.Duration
	if o.Kill == "" {
		after = time.Duration(random.IntN(1200)) * time.Millisecond
	}
	p.order(o, after)
}

// order runs a process and, if the orders name no step, kills it after a time.
func (p *pipeline) order(o orders, after time.Duration) {
	p.t.Helper()
	text, err := json.Marshal(o)
	must(p.t, err)
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), ordersVariable+"="+string(text))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	stdin, err := cmd.StdinPipe() // its end signals the end of the test to the process
	must(p.t, err)
	must(p.t, cmd.Start())
	if o.Kill == "" {
		time.Sleep(after)
		must(p.t, cmd.Process.Kill())
	}
	_ = cmd.Wait() // a killed process always ends with an error
	_ = stdin.Close()
	if ctx.Err() != nil || cmd.ProcessState.ExitCode() != -1 {
		p.t.Fatalf("the worker to be killed at %q (%d) ended otherwise: %s\n%s", o.Kill, o.Nth, cmd.ProcessState, said.String())
	}
}

// ordersVariable holds the orders of a process that is to be a worker.
const ordersVariable = "ESTELA_CHAOS_ORDERS"

// orders tell a worker process what to do and when to die.
type orders struct {
	URL, Location, Owner string
	Staged               bool
	Shards               int
	Stream               string
	// Kill is the step at whose Nth time the process kills itself; "" is never.
	Kill string
	Nth  int64
}

// obey is the worker process.
func obey(text string) (code int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var o orders
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (o orders) run(ctx context.Context) error {
	c, err := parse(schema(o.Shards, "24h", o.Stream))
	if err != nil {
		return err
	}
	client, err := stream.Open(ctx, stream.Config{URL: o.URL})
	if err != nil {
		return err
	}
	die := once(o.Nth, kill)
	at := func(step string) {
		if step == o.Kill {
			die()
		}
	}
	store, err := warehouse.Open(ctx, warehouse.Config{
		Database: database.Config{Location: o.Location, MemoryLimit: "1GB", Threads: 1}, Staged: o.Staged,
		Hook: func(point warehouse.Point) error {
			at("commit " + string(point))
			return nil
		},
	})
	if err != nil {
		return err
	}
	if err := store.Register(ctx, c, "", nil); err != nil {
		return err
	}
	return worker.New(worker.Config{
		Contracts: []*contract.Contract{c}, Sink: store, Hook: at, BatchRows: 60,
		Source: func(c *contract.Contract, shard int) worker.Source {
			return client.Shard(c, shard, o.Owner, stream.ShardConfig{Lease: killLease, Block: 50 * time.Millisecond})
		},
		Renew: killLease / 5, TrimEvery: 50 * time.Millisecond, Backoff: 10 * time.Millisecond,
	}).Run(ctx)
}

// kill ends this process as a crash would.
func kill() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}
