package api_test

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// fortress serves data/flights from a warehouse as in production: an attached file, without
// external access, its configuration locked.
type fortress struct {
	instance

	store *warehouse.Warehouse
	// dir must stay without new files; secret is the content of a file in it.
	dir, secretFile string
}

const fortressSecret = "the-secret-of-another-file"

func newFortress(t *testing.T) *fortress {
	t.Helper()
	f := &fortress{dir: t.TempDir()}
	f.secretFile = filepath.Join(f.dir, "secret.csv")
	writeFile(t, f.secretFile, []byte("a\n"+fortressSecret+"\n"))
	w, err := warehouse.Open(t.Context(), warehouse.Config{Database: database.Config{Location: filepath.Join(t.TempDir(), "estela.duckdb")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	f.store = w
	c, err := contract.Load(data.FS, "flights")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Register(t.Context(), c, dataFile("views.sql"), map[string][]byte{"airports": []byte(dataFile("reference/airports.csv"))}); err != nil {
		t.Fatal(err)
	}
	endpoints, err := endpoint.Load(data.FS, "flights")
	if err != nil {
		t.Fatal(err)
	}
	f.instance = serveReader(t, w, nil, flightsDataset(endpoints))
	return f
}

// held fails the test if the secret leaked or a file was created.
func (f *fortress) held(t *testing.T, what string) {
	t.Helper()
	entries, err := os.ReadDir(f.dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%s: left %v, %v", what, entries, err)
	}
	var tables []string
	err = f.store.Read(t.Context(), "SELECT database_name || '.' || table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL", nil, func(_ time.Time, rows *sql.Rows) error {
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			tables = append(tables, name)
		}
		return nil
	})
	if err != nil || !slices.Contains(tables, "warehouse.flights") || slices.ContainsFunc(tables, func(n string) bool { return strings.Contains(n, "pwned") }) {
		t.Errorf("%s: the tables are %v, %v", what, tables, err)
	}
}

// statements are attempts to escape from the instance: F stands for a file that exists, N for one
// that doesn't, both without quotes.
var statements = []string{
	// Reading files.
	"SELECT * FROM read_csv('F')", "SELECT * FROM read_csv_auto('F')", "SELECT * FROM 'F'", "FROM 'F'", "SELECT * FROM read_text('F')",
	"SELECT * FROM read_blob('F')", "SELECT * FROM read_json('F')", "SELECT * FROM read_json_auto('F')", "SELECT * FROM read_ndjson('F')",
	"SELECT * FROM read_json_objects('F')", "SELECT * FROM read_ndjson_objects('F')", "SELECT * FROM read_ndjson_auto('F')", "SELECT * FROM read_json_objects_auto('F')",
	"SELECT * FROM read_parquet('F')", "SELECT * FROM parquet_scan('F')", "SELECT * FROM parquet_metadata('F')", "SELECT * FROM parquet_schema('F')",
	"SELECT * FROM parquet_file_metadata('F')", "SELECT * FROM parquet_kv_metadata('F')", "SELECT * FROM parquet_bloom_probe('F', 'a', 1)",
	"SELECT * FROM sniff_csv('F')", "SELECT * FROM glob('/*')", "SELECT * FROM glob('F')", "SELECT * FROM read_text('/etc/*')", "SELECT * FROM read_csv(['F'])",
	"SELECT (SELECT content FROM read_text('F'))", "WITH x AS (FROM read_text('F')) FROM x", "SELECT * FROM read_text('/proc/self/environ')",
	"SELECT * FROM read_blob('/proc/self/maps')", "SELECT * FROM '/etc/passwd'", `SELECT * FROM "F"`, "SELECT * FROM read_csv('file://F')",
	"SELECT * FROM query('FROM read_text(''F'')')", "SELECT * FROM query_table('F')", "SELECT * FROM query_table(['F'])",
	"SELECT * FROM flights LEFT JOIN read_text('F') ON true", "SELECT * FROM arrow_scan(1, 2, 3)", "SELECT * FROM arrow_scan_dumb(1, 2, 3)",
	"SELECT * FROM seq_scan('flights')", "SELECT * FROM pandas_scan(1)", "SELECT * FROM python_map_function(1)", "SELECT * FROM duckdb_secrets(redact=false)",
	"SELECT getenv('HOME')", "SELECT * FROM read_duckdb('F')", "SELECT * FROM sqlite_scan('F', 'a')", "SELECT * FROM postgres_scan('host=127.0.0.1', 'a', 'b')",
	"SELECT * FROM mysql_scan('', 'a', 'b')", "SELECT * FROM iceberg_scan('F')", "SELECT * FROM delta_scan('F')", "SELECT * FROM st_read('F')",
	"SELECT * FROM read_xlsx('F')", "SELECT * FROM read_avro('F')", "SELECT * FROM read_gsheet('F')", "SELECT * FROM scan_arrow_ipc('F')",
	// The network.
	"SELECT * FROM read_csv('http://127.0.0.1:1/a')", "SELECT * FROM read_parquet('https://127.0.0.1:1/a')", "SELECT * FROM read_text('s3://a/b')",
	"SELECT * FROM read_text('gcs://a/b')", "SELECT * FROM read_text('hf://datasets/a/b')", "SELECT * FROM read_text('azure://a/b')", "SELECT * FROM 'http://127.0.0.1:1/a.csv'",
	// Writing files.
	"COPY flights TO 'N'", "COPY (SELECT 1) TO 'N'", "COPY (SELECT 1) TO 'N' (FORMAT parquet)", "COPY (SELECT 1) TO 'N' (FORMAT json)", "COPY (SELECT 1) TO '/dev/stdout'",
	"COPY flights FROM 'F'", "COPY FROM DATABASE warehouse TO memory", "EXPORT DATABASE 'N'", "EXPORT DATABASE 'N' (FORMAT parquet)", "IMPORT DATABASE 'N'",
	"COPY (SELECT 1) TO 'N' (PARTITION_BY a)", "CREATE TABLE pwned AS FROM read_text('F')", "SELECT write_log('x')", "PRAGMA enable_profiling; SELECT 1",
	"PRAGMA enable_profiling", "PRAGMA profile_output='N'", "PRAGMA profiling_output='N'", "SET profile_output='N'", "SET profiling_output='N'", "SET log_query_path='N'",
	"CALL enable_logging(storage='file', storage_config={'path': 'N'})", "CALL enable_logging()", "SET temp_directory='N'", "SET home_directory='N'", "SET secret_directory='N'",
	// Other databases.
	"ATTACH 'N'", "ATTACH 'N' AS pwned", "ATTACH 'F' AS pwned", "ATTACH 'md:'", "ATTACH 'md:pwned'", "ATTACH ':memory:' AS pwned", "ATTACH 'http://127.0.0.1:1/a' AS pwned",
	"ATTACH 'F' AS pwned (TYPE sqlite)", "ATTACH '' AS pwned (TYPE postgres)", "DETACH warehouse", "DETACH memory", "USE memory", "USE pwned", "CREATE DATABASE pwned",
	// Extensions and secrets.
	"INSTALL httpfs", "LOAD httpfs", "INSTALL 'F'", "LOAD 'F'", "FORCE INSTALL json", "INSTALL httpfs FROM community", "INSTALL httpfs FROM 'http://127.0.0.1:1'", "UPDATE EXTENSIONS",
	"CREATE SECRET pwned (TYPE s3)", "CREATE PERSISTENT SECRET pwned (TYPE http, bearer_token 'x')", "DROP SECRET pwned", "LOAD motherduck", "PRAGMA MD_CONNECT",
	// Settings.
	"SET enable_external_access=true", "SET GLOBAL enable_external_access=true", "RESET enable_external_access", "SET lock_configuration=false", "RESET lock_configuration",
	"PRAGMA enable_external_access=true", "SET memory_limit='100GB'", "SET threads=100", "PRAGMA threads=100", "SET max_memory='1TB'", "SET allow_unsigned_extensions=true",
	"SET autoinstall_known_extensions=true", "SET autoload_known_extensions=true", "SET extension_directory='N'", "SET custom_extension_repository='N'", "SET allowed_paths=['/']",
	"SET allowed_directories=['/']", "SET disabled_filesystems=''", "SET access_mode='read_write'", "SET checkpoint_threshold='1KB'", "SET allow_community_extensions=true",
	"SET VARIABLE a = (SELECT content FROM read_text('F'))", "SET search_path='main'", "SET schema='main'", "SET file_search_path='/'", "SET enable_logging=true",
	"SET allow_persistent_secrets=true", "SET python_enable_replacements=true", "SET ca_cert_file='F'", "SET http_proxy='127.0.0.1:1'",
	// Changing data. What runs is rolled back.
	"INSERT INTO flights SELECT * FROM flights", "DELETE FROM flights", "UPDATE flights SET origin = 'XXX'", "TRUNCATE flights", "DROP TABLE flights", "DROP TABLE flights CASCADE",
	"DROP SCHEMA estela CASCADE", "ALTER TABLE flights RENAME TO pwned", "ALTER TABLE flights DROP COLUMN origin", "CREATE TABLE pwned (a INT)", "CREATE TEMP TABLE pwned (a INT)",
	"CREATE OR REPLACE VIEW flights_on_time AS SELECT 1 AS pwned", "CREATE MACRO pwned() AS 1", "CREATE TABLE memory.main.pwned (a INT)", "CREATE SEQUENCE pwned", "CREATE TYPE pwned AS ENUM ('a')",
	"CREATE INDEX pwned ON flights (origin)", "CREATE SCHEMA pwned", "UPDATE estela.positions SET rev = 0", "DELETE FROM estela.rejects", "MERGE INTO flights USING flights AS f ON true WHEN MATCHED THEN DELETE",
	"COMMIT", "ROLLBACK", "BEGIN", "CHECKPOINT", "FORCE CHECKPOINT", "VACUUM", "ANALYZE", "COMMENT ON TABLE flights IS 'pwned'", "EXPLAIN ANALYZE DELETE FROM flights",
	"PREPARE pwned AS SELECT 1", "EXECUTE pwned", "DEALLOCATE pwned", "CALL pragma_version()", "CALL checkpoint()", "CALL force_checkpoint()",
	"SELECT 1; DROP TABLE flights", "SELECT 1; COMMIT; DROP TABLE flights", "WITH x AS (DELETE FROM flights RETURNING *) FROM x", "DELETE FROM flights RETURNING *",
	"PIVOT flights ON origin", "SUMMARIZE flights", "DESCRIBE flights", "SHOW TABLES", "SHOW ALL TABLES", "PRAGMA database_list", "PRAGMA storage_info('flights')", "PRAGMA version",
	"PRAGMA import_database('N')", "PRAGMA disable_checkpoint_on_shutdown", "PRAGMA force_checkpoint", "PRAGMA enable_object_cache", "PRAGMA show_tables", "SELECT nextval('pwned')", "SELECT pg_sleep(1)",
	"SELECT current_setting('motherduck_token')", "SELECT getvariable('a')", "SELECT * FROM duckdb_settings() WHERE name = 'motherduck_token'", "SELECT * FROM pragma_user_agent()",
}

// No statement escapes from the warehouse's instance, not even one that no endpoint could contain.
func TestStatementsDontGetOut(t *testing.T) {
	t.Parallel()
	f := newFortress(t)
	if len(statements) < 200 {
		t.Errorf("%d statements, 200 were promised", len(statements))
	}
	for _, s := range statements {
		text := strings.NewReplacer("'F'", "'"+f.secretFile+"'", `"F"`, `"`+f.secretFile+`"`, "''F''", "''"+f.secretFile+"''", "file://F", "file://"+f.secretFile, "'N'", "'"+filepath.Join(f.dir, "new")+"'").Replace(s)
		var got strings.Builder
		err := f.store.Stream(t.Context(), text, nil, func(_ result.Snapshot, rows result.Rows) error {
			for {
				chunk, err := rows.Next()
				if err != nil || chunk == nil {
					return err
				}
				for _, v := range chunk.Vectors {
					for row := range chunk.Rows {
						if v.Kind == column.Varchar && !v.Null(row) {
							got.Write(v.Bytes(row))
						}
					}
				}
			}
		})
		if strings.Contains(got.String(), fortressSecret) || strings.Contains(got.String(), "root:x:") || strings.Contains(fmt.Sprint(err), fortressSecret) {
			t.Errorf("%s: %s, %v", s, got.String(), err)
		}
		f.held(t, s)
		if strings.Contains(s, "'F'") && err == nil && !strings.Contains(s, "glob") {
			t.Errorf("%s was done", s)
		}
		// As an endpoint it is rejected, or it only reads.
		e, parse := endpoint.Parse("a.sql", "-- A.\n"+text)
		if parse == nil {
			if f.api.Load(t.Context(), []endpoint.Dataset{{Name: "x", Endpoints: []endpoint.Endpoint{e}}}) == nil {
				if r := f.get(t, "/v1/x/a"); strings.Contains(r.text, fortressSecret) {
					t.Errorf("%s: %s", s, r.text)
				}
			}
		}
		f.held(t, s+" as an endpoint")
	}
	// The instance still serves.
	endpoints, err := endpoint.Load(data.FS, "flights")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.api.Load(t.Context(), []endpoint.Dataset{flightsDataset(endpoints)}); err != nil {
		t.Fatal(err)
	}
	f.rows(t, "/v1/flights/delays")
}

// payloads are sent as the value of every parameter.
func payloads(f *fortress) []string {
	all := []string{
		"'", `"`, "\\", "''", "';", "' OR '1'='1", "' OR 1=1 --", "1 OR 1=1", "'; DROP TABLE flights; --", "'); DROP TABLE flights; --", "$1", "$airport", "$$x$$", "?", ":x", "@x",
		"' UNION SELECT content FROM read_text('" + f.secretFile + "') --", "x' || (SELECT content FROM read_text('" + f.secretFile + "')) || '",
		"(SELECT 1)", "1; ATTACH 'x'", "NULL", "null", "NaN", "Infinity", "-1", "0", "1e308", "9223372036854775808", "-9223372036854775809", "0x10", "1_000", "٣", "１",
		"%00", "%27", "\x00", "\n", "\r\nX-Injected: 1", "\u2028", "\ufeff", "\u202e", "🛫", strings.Repeat("A", 7000), "{{7*7}}", "${7*7}", "<script>alert(1)</script>", "../../etc/passwd",
		"true", "TRUE", "2001-01-01", "2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z'", "infinity", "epoch", "now()", "ATL", "atl", "ATL'", "ATL--", "ATL/*", "[1]", `{"a":1}`, "/*", "*/", "--", "E'\\x00'",
	}
	for _, keys := range []string{`["a"]`, `["1","2"]`, `[null,null]`, `["x' OR '1'='1","y"]`, `[1,2]`, `{}`} {
		text, _ := json.Marshal(map[string]any{"k": json.RawMessage(keys), "s": "0000"})
		all = append(all, base64.RawURLEncoding.EncodeToString(text))
	}
	return all
}

// No value of any endpoint's parameter is executed.
func TestParametersDontGetOut(t *testing.T) {
	t.Parallel()
	f := newFortress(t)
	endpoints, err := endpoint.Load(data.FS, "flights")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, e := range endpoints {
		names := []string{"limit", "cursor", "format", "unknown"}
		for _, p := range e.Params {
			names = append(names, p.Name)
		}
		for _, name := range names {
			for _, payload := range payloads(f) {
				tried++
				query := url.Values{}
				if e.Name == "departures" {
					query.Set("airport", "ATL")
				}
				query.Set(name, payload)
				status, header, body := f.body(t, "/v1/flights/"+e.Name+"?"+query.Encode())
				text := string(body)
				if status != http.StatusOK && status != http.StatusBadRequest || header.Get("X-Injected") != "" ||
					strings.Contains(text, fortressSecret) || strings.Contains(text, "Parser Error") || strings.Contains(text, "Binder Error") {
					t.Errorf("%s %s=%.100q: %d %.300s\n%v", e.Name, name, payload, status, text, f.log)
				}
			}
		}
	}
	if tried < 200 {
		t.Errorf("%d requests only", tried)
	}
	f.held(t, "the requests")
}

// FuzzRequest sends any path and query: the answer is a documented one, and the server goes on.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][2]string{
		{"/v1/flights/delays", "width=15"},
		{"/v1/flights/departures", "airport=ATL&limit=1"},
		{"/v1/flights/events", "since=2001-01-01T00:00:00Z&cursor=e30"},
		{"/v1/flights/routes", "format=svg"},
		{"/v1/flights/airports", "format=parquet&state=TX"},
		{"/v1/../etc", "%"},
		{"/docs/problems/x", "a=b;c"},
		{"/", "\x00"},
	} {
		f.Add(seed[0], seed[1])
	}
	db, err := flights()
	if err != nil {
		f.Fatal(err)
	}
	endpoints, err := endpoint.Load(data.FS, "flights")
	if err != nil {
		f.Fatal(err)
	}
	server, err := api.New(f.Context(), api.Config{
		Datasets: []endpoint.Dataset{flightsDataset(endpoints)}, Reader: reader{db}, Logger: slogDiscard(),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		req := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path, RawQuery: query}, Host: "localhost", Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
		res, err := server.App().Test(req.WithContext(t.Context()), -1)
		if err != nil {
			return // it was no HTTP request
		}
		defer res.Body.Close()
		if res.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%q?%q: %s", path, query, res.Status)
		}
	})
}
