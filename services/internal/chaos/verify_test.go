package chaos_test

import (
	"database/sql"
	"time"

	"github.com/estela-dev/estela/services/internal/chaos"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
)

// verify compares what is stored with what was published.
func (p *pipeline) verify() {
	p.t.Helper()
	p.check(false)
}

// verifyResent is verify where the producer had to send a second time.
func (p *pipeline) verifyResent() {
	p.t.Helper()
	p.check(true)
}

func (p *pipeline) check(resent bool) {
	p.t.Helper()
	if err := p.model.Check(p.stored(), resent); err != nil {
		p.t.Fatal(err)
	}
	want(p.t, "entries said to be lost, though all is there", p.counts.lost.Load(), 0)
}

// stored reads the tables.
func (p *pipeline) stored() chaos.Stored {
	p.t.Helper()
	got := chaos.Stored{Rows: make(map[chaos.Event]int), Rejects: make(map[string]int)}
	p.query(`SELECT id, epoch_us("at"), n, text, count(*) FROM chaos GROUP BY ALL`, func(rows *sql.Rows) error {
		var e chaos.Event
		var n int
		err := rows.Scan(&e.ID, &e.At, &e.N, &e.Text, &n)
		got.Rows[e] += n
		return err
	})
	p.query("SELECT payload, count(*) FROM warehouse.estela.rejects GROUP BY ALL", func(rows *sql.Rows) error {
		var payload []byte
		var n int
		err := rows.Scan(&payload, &n)
		got.Rejects[string(payload)] += n
		return err
	})
	return got
}

func (p *pipeline) query(query string, each func(*sql.Rows) error) {
	p.t.Helper()
	must(p.t, p.store.Read(p.t.Context(), query, nil, func(_ time.Time, rows *sql.Rows) error {
		for rows.Next() {
			if err := each(rows); err != nil {
				return err
			}
		}
		return nil
	}))
}

// number is a query's one answer.
func (p *pipeline) number(query string) (n int64) {
	p.t.Helper()
	p.query(query, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n
}

// position is the stored position of a shard.
func (p *pipeline) position(shard int) event.Position {
	p.t.Helper()
	pos, _, err := p.store.Position(p.t.Context(), p.contract, shard)
	must(p.t, err)
	return pos
}

// state is that of a shard's stream.
func (p *pipeline) state(shard int) event.StreamState {
	p.t.Helper()
	state, err := p.client.Shard(p.contract, shard, "look", stream.ShardConfig{}).State(p.t.Context())
	must(p.t, err)
	return state
}
