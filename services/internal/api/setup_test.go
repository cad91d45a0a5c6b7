package api_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/apitest"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
	"github.com/estela-dev/estela/services/internal/telemetrytest"
)

// reader is a warehouse of the simplest kind: a DuckDB in memory.
type reader struct{ db *sql.DB }

// openDB opens one, with a table of commits for as_of.
func openDB() (*sql.DB, error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	for _, statement := range []string{
		"SET TimeZone = 'America/Santiago'", // answers must not depend on it
		"CREATE TABLE commits (committed_at TIMESTAMPTZ)",
		"INSERT INTO commits VALUES ('2026-01-31T12:00:00.123456Z')",
	} {
		if _, err := db.Exec(statement); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return db, nil
}

func (r reader) conn(ctx context.Context, fn func(conn *database.Conn) error) error {
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	duck, err := database.NewConn(conn)
	if err != nil {
		return err
	}
	return fn(duck)
}

func (r reader) Describe(ctx context.Context, query string, args map[string]any) (columns []result.Column, err error) {
	err = r.conn(ctx, func(conn *database.Conn) error {
		columns, err = conn.Describe(ctx, query, args)
		return err
	})
	return columns, err
}

func (r reader) Revision(ctx context.Context) (at result.Snapshot, err error) {
	err = r.conn(ctx, func(conn *database.Conn) error {
		at, err = revision(ctx, conn)
		return err
	})
	return at, err
}

func revision(ctx context.Context, conn *database.Conn) (at result.Snapshot, err error) {
	var asOf sql.NullTime
	err = conn.QueryRowContext(ctx, "SELECT max(committed_at), count(*) FROM commits").Scan(&asOf, &at.Revision)
	at.AsOf = asOf.Time
	return at, err
}

func (r reader) Stream(ctx context.Context, query string, args map[string]any, each func(result.Snapshot, result.Rows) error) error {
	return r.conn(ctx, func(conn *database.Conn) error {
		if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
			return err
		}
		at, err := revision(ctx, conn)
		if err == nil {
			err = conn.Stream(ctx, query, args, func(rows result.Rows) error { return each(at, rows) })
		}
		_, end := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, end)
	})
}

// exporter is that of all tests.
var exporter database.ParquetExporter

func (reader) Parquet(w io.Writer, columns []result.Field, metadata map[string]string) (result.Sink, error) {
	return exporter.Writer(w, columns, metadata)
}

// instance is a server of one dataset "test" and its database.
type instance struct {
	*httptest.Server
	db  *sql.DB
	api *api.Server
	log *telemetrytest.Log
}

// setup serves the given endpoint files (name -> text) over a database prepared
// by the statement.
func setup(t *testing.T, prepare string, files map[string]string, change ...func(*api.Config)) instance {
	t.Helper()
	db, err := openDB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec(prepare); err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys["test/endpoints/"+name+".sql"] = &fstest.MapFile{Data: []byte(text)}
	}
	endpoints, err := endpoint.Load(fsys, "test")
	if len(files) > 0 && err != nil {
		t.Fatal(err)
	}
	return serve(t, db, endpoint.Dataset{Name: "test", Description: "A test.", Endpoints: endpoints}, change...)
}

func serve(t *testing.T, db *sql.DB, dataset endpoint.Dataset, change ...func(*api.Config)) instance {
	t.Helper()
	return serveReader(t, reader{db}, db, dataset, change...)
}

func serveReader(t *testing.T, from api.Reader, db *sql.DB, dataset endpoint.Dataset, change ...func(*api.Config)) instance {
	t.Helper()
	var log telemetrytest.Log
	if db != nil {
		dataset.Tables = append(dataset.Tables, tablesOf(t, db)...)
	}
	cfg := api.Config{
		Datasets: []endpoint.Dataset{dataset},
		Reader:   from,
		Logger:   slog.New(slog.NewTextHandler(&log, nil)),
		Pages:    apitest.Pages{},
	}
	for _, c := range change {
		c(&cfg)
	}
	s, err := api.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return instance{apitest.Serve(t, s), db, s, &log}
}

// tablesOf are the names of the database's tables, so that a dataset may have them all.
func tablesOf(t *testing.T, db *sql.DB) (names []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT table_name FROM duckdb_tables() WHERE NOT temporary")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// flightsDataset is data/flights with these endpoints.
func flightsDataset(endpoints []endpoint.Endpoint) endpoint.Dataset {
	c, err := contract.Load(data.FS, "flights")
	if err != nil {
		panic(err)
	}
	return endpoint.Dataset{Name: "flights", Endpoints: endpoints, Views: dataFile("views.sql"), Tables: []string{"airports"}, Columns: c.Columns}
}

// reply is an answer or a problem.
type reply struct {
	status int
	header http.Header
	text   string
	Data   []map[string]any
	Meta   struct {
		AsOf *string `json:"as_of"`
		Rows int
		Next *string
	}
	Type, Title, Detail, Instance, Parameter string
	RequestID                                string `json:"request_id"`
}

func (i instance) get(t *testing.T, path string) reply {
	t.Helper()
	return i.do(t, http.MethodGet, path)
}

func (i instance) do(t *testing.T, method, path string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, i.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: res.StatusCode, header: res.Header, text: string(body)}
	if len(body) > 0 {
		d := json.NewDecoder(strings.NewReader(r.text))
		d.UseNumber()
		if err := d.Decode(&r); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, body)
		}
	}
	return r
}

// rows is a reply that must be an answer.
func (i instance) rows(t *testing.T, path string) reply {
	t.Helper()
	r := i.get(t, path)
	if r.status != http.StatusOK {
		t.Fatalf("GET %s: %d %s\n%s", path, r.status, r.text, i.log)
	}
	if len(r.Data) != r.Meta.Rows {
		t.Errorf("GET %s: meta.rows is %d of %d", path, r.Meta.Rows, len(r.Data))
	}
	return r
}

// all follows the cursors and returns every row. Between two pages it calls pause.
func (i instance) all(t *testing.T, path string, query url.Values, pause func(page int)) []map[string]any {
	t.Helper()
	var rows []map[string]any
	for page := 1; ; page++ {
		r := i.rows(t, path+"?"+query.Encode())
		rows = append(rows, r.Data...)
		if r.Meta.Next == nil {
			return rows
		}
		query.Set("cursor", *r.Meta.Next)
		pause(page)
	}
}

const flightsFolder = "../../../data/flights/"

func dataFile(name string) string {
	text, err := fs.ReadFile(data.FS, "flights/"+name)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// openMapping opens a database that has what mapping.sql needs, except source.
func openMapping(ctx context.Context) (*sql.DB, error) {
	db, err := openDB()
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, "CREATE TABLE airports AS SELECT * RENAME (\"latitude:number\" AS latitude, \"longitude:number\" AS longitude) FROM read_csv('"+flightsFolder+"reference/airports.csv')")
	return db, err
}

const sampleSource = "SELECT *, file_row_number + 1 AS _row FROM read_parquet('" + flightsFolder + "sample.parquet', file_row_number = true)"

// flights is the sample in the tables and views of data/flights, for tests that
// don't write.
var flights = sync.OnceValues(func() (*sql.DB, error) {
	db, err := openMapping(context.Background())
	if err != nil {
		return nil, err
	}
	for _, statement := range []string{
		"CREATE TABLE source AS " + sampleSource,
		"CREATE TABLE flights AS SELECT * EXCLUDE (_row) REPLACE (CAST(occurred_at AS TIMESTAMPTZ) AS occurred_at) FROM (" + dataFile("mapping.sql") + ")",
		dataFile("views.sql"),
	} {
		if _, err := db.Exec(statement); err != nil {
			return nil, err
		}
	}
	return db, nil
})

func closeFlights() {
	if db, err := flights(); err == nil {
		db.Close()
	}
}

// setupFlights serves data/flights over the sample.
func setupFlights(t *testing.T) instance {
	t.Helper()
	db, err := flights()
	if err != nil {
		t.Fatal(err)
	}
	endpoints, err := endpoint.Load(data.FS, "flights")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, db, flightsDataset(endpoints))
}

func slogDiscard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
