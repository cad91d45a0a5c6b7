package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// neighbours serves two datasets, mine and yours, from one warehouse, with a view of both.
func neighbours(t *testing.T) (*warehouse.Warehouse, []endpoint.Dataset) {
	t.Helper()
	w, err := warehouse.Open(t.Context(), warehouse.Config{Database: database.Config{Location: filepath.Join(t.TempDir(), "estela.duckdb")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	views := map[string]string{
		"yours": "CREATE OR REPLACE VIEW your_view AS SELECT id FROM yours;",
		"mine":  "CREATE OR REPLACE VIEW my_view AS SELECT id FROM mine; CREATE OR REPLACE VIEW joined AS SELECT mine.id FROM mine JOIN your_view ON true;",
	}
	var all []endpoint.Dataset
	for _, name := range []string{"yours", "mine"} {
		c, err := contract.Load(fstest.MapFS{name + "/contract.json": {Data: []byte(`{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["id", "at"], "properties": {"id": {"type": "string"}, "at": {"type": "string", "format": "date-time"}}, "x-estela": {"key": "id", "time": "at"}}`)}}, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Register(t.Context(), c, views[name], map[string][]byte{name + "_places": []byte("id\na\n")}); err != nil {
			t.Fatal(err)
		}
		all = append(all, endpoint.Dataset{Name: name, Views: views[name], Tables: []string{name + "_places"}})
	}
	return w, all
}

// with returns the datasets with one endpoint of mine.
func with(t *testing.T, all []endpoint.Dataset, text string) []endpoint.Dataset {
	t.Helper()
	e, err := endpoint.Parse("mine/endpoints/a.sql", text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	mine := all[1]
	mine.Endpoints = []endpoint.Endpoint{e}
	return []endpoint.Dataset{all[0], mine}
}

// foreign are statements that an endpoint of mine must not run. DuckDB itself runs most of them.
var foreign = []string{
	"SELECT * FROM yours", "SELECT id FROM (FROM yours)", "SELECT * FROM main.yours", "SELECT * FROM warehouse.main.yours", `SELECT * FROM "YOURS"`, "SELECT * FROM warehouse.yours",
	"SELECT (SELECT max(id) FROM yours) AS id", "SELECT 1 AS n WHERE EXISTS (FROM yours)", "WITH x AS (FROM yours) SELECT * FROM x", "WITH mine AS (FROM yours) SELECT * FROM mine",
	"SELECT mine.id FROM mine JOIN yours USING (id)", "SELECT id FROM mine UNION SELECT id FROM yours", "SELECT * FROM mine, LATERAL (SELECT id FROM yours) AS x", "SELECT [x FOR x IN (SELECT list(id) FROM yours)] AS l",
	"SELECT id FROM mine ORDER BY (SELECT count(*) FROM yours)", "SELECT id FROM mine LIMIT (SELECT count(*) FROM yours)", "SELECT * FROM your_view", "SELECT * FROM joined", "SELECT * FROM yours_places",
	"SELECT * FROM (PIVOT yours ON id IN ('a') USING count(*))", "SELECT * FROM (SUMMARIZE yours)", "SELECT * FROM (DESCRIBE yours)", "SELECT * FROM query('FROM yours')", "SELECT * FROM query_table('yours')", "SELECT * FROM query_table(['yours'])",
	"SELECT * FROM histogram('yours', id)", "SELECT * FROM histogram_values('yours', id)", "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM yours'))", "SELECT json_serialize_plan('SELECT * FROM yours') AS p",
	"SELECT * FROM estela.rejects", "SELECT * FROM warehouse.estela.rejects", "SELECT * FROM estela.positions", "SELECT * FROM estela.contracts", `SELECT * FROM "estela"."rejects"`, "SELECT (SELECT count(*) FROM estela.rejects) AS n",
	"SELECT * FROM information_schema.tables", "SELECT * FROM information_schema.columns", "SELECT * FROM pg_catalog.pg_tables", "SELECT * FROM pg_tables", "SELECT * FROM sqlite_master", "SELECT * FROM duckdb_tables", "SELECT * FROM duckdb_columns",
	"SELECT * FROM duckdb_tables()", "SELECT * FROM duckdb_databases()", "SELECT * FROM duckdb_settings()", "SELECT * FROM duckdb_views()", "SELECT * FROM duckdb_secrets()", "SELECT * FROM duckdb_functions()", "SELECT * FROM duckdb_memory()", "SELECT * FROM duckdb_temporary_files()",
	"SELECT * FROM duckdb_logs()", "SELECT * FROM duckdb_extensions()", "SELECT * FROM duckdb_variables()", "SELECT * FROM duckdb_prepared_statements()", "SELECT * FROM pragma_database_size()", "SELECT * FROM pragma_version()", "SELECT * FROM pragma_platform()", "SELECT * FROM pragma_table_info('yours')",
	"SELECT * FROM pragma_storage_info('yours')", "SELECT * FROM pragma_show('yours')", "SELECT * FROM pragma_metadata_info()", "SELECT * FROM system.information_schema.tables", "SELECT * FROM temp.information_schema.tables", "SELECT * FROM memory.main.x",
	"SELECT * FROM checkpoint()", "SELECT * FROM force_checkpoint()", "SELECT * FROM checkpoint('warehouse')", "SELECT * FROM 'F'", "SELECT * FROM read_csv('F')", "SELECT * FROM read_text('F')", "SELECT * FROM read_blob('F')", "SELECT * FROM glob('*')", "SELECT * FROM read_duckdb('F', table_name = 'yours')",
	"SELECT * FROM sniff_csv('F')", "SELECT * FROM parquet_metadata('F')", "SELECT * FROM which_secret('s3://a', 's3')", "SELECT * FROM test_all_types()", "SELECT * FROM seq_scan('yours')", "SELECT * FROM sql_auto_complete('SELECT * FROM y')", "SELECT * FROM enable_logging()", "SELECT * FROM truncate_duckdb_logs()",
	"SELECT current_setting('memory_limit') AS s", "SELECT getvariable('a') AS s", "SELECT getenv('HOME') AS s", "SELECT current_database() AS s", "SELECT current_schemas(true) AS s", "SELECT current_schema() AS s", "SELECT current_catalog AS s", "SELECT current_schema AS s", "SELECT version() AS s", "SELECT txid_current() AS s",
	"SELECT current_query() AS s", "SELECT nextval('a') AS s", "SELECT currval('a') AS s", "SELECT setseed(0.5) AS s", "SELECT write_log('x') AS s", "SELECT pg_sleep(1) AS s", "SELECT sleep_ms(1) AS s", "SELECT stats(id) AS s FROM mine", "SELECT in_search_path('a', 'b') AS s", "SELECT pg_get_viewdef(1) AS s", "SELECT get_block_size('warehouse') AS s",
	"SELECT warehouse.main.upper('a') AS s", "SELECT estela.upper('a') AS s", "SELECT * FROM nothing",
}

// A statement reads only its own dataset and those its header declares, and has no side effects.
func TestEndpointsReadTheirDataset(t *testing.T) {
	t.Parallel()
	w, all := neighbours(t)
	parse, end, err := database.Parser(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	i := serveReader(t, w, nil, all[1])
	for _, query := range foreign {
		datasets := with(t, all, "-- A.\n"+query)
		for what, err := range map[string]error{"before the warehouse is open": endpoint.CheckSQL(t.Context(), parse, datasets), "when loaded": i.api.Load(t.Context(), datasets)} {
			var fault *endpoint.ParseError
			if err == nil || !errors.As(err, &fault) || !strings.Contains(err.Error(), "mine/endpoints/a.sql:2:") {
				t.Errorf("%s, %s: %v", query, what, err)
			}
		}
	}
	if len(foreign) < 100 {
		t.Errorf("%d statements only", len(foreign))
	}
}

// A dataset that the header declares may be read, and must be.
func TestReads(t *testing.T) {
	t.Parallel()
	w, all := neighbours(t)
	i := serveReader(t, w, nil, all[1])
	for text, want := range map[string]string{
		"-- A.\nSELECT * FROM mine":                                                          "",
		"-- A.\nSELECT * FROM my_view JOIN mine_places USING (id)":                           "",
		"-- A.\n-- reads: yours\nSELECT * FROM yours":                                        "",
		"-- A.\n-- reads: yours\nSELECT * FROM joined":                                       "",
		"-- A.\n-- reads: yours\nSELECT * FROM yours_places":                                 "",
		"-- A.\nWITH yours AS (FROM mine) SELECT * FROM yours":                               "",
		"-- A.\nSELECT *\nFROM yours":                                                        "a.sql:3:6: reads yours, which is of the dataset yours; add to the header: -- reads: yours; an API key then needs both",
		"-- A.\nSELECT * FROM joined":                                                        "a.sql:2:15: reads joined, which is of the dataset yours; add to the header: -- reads: yours",
		"-- A.\n-- reads: yours\nSELECT * FROM mine":                                         "a.sql:2: reads: names yours, which the SQL does not read; remove it",
		"-- A.\n-- reads: other\nSELECT * FROM mine":                                         "a.sql:2: reads: names other, which is no dataset here; there are yours, mine",
		"-- A.\n-- reads: mine\nSELECT * FROM mine":                                          "a.sql:2: reads: names the endpoint's own dataset",
		"-- A.\n-- reads: yours\nSELECT * FROM estela.rejects":                               "a.sql:3:15: reads estela.rejects, which is not a dataset's",
		"-- A.\n-- param: n integer -- n\nSELECT len(range($n)) AS n":                        "a.sql:3:12: range is sized by a value without a bound; give a constant, least(x, N), or a parameter",
		"-- A.\n-- param: n integer minimum=0 maximum=1000 -- n\nSELECT len(range($n)) AS n": "",
	} {
		err := i.api.Load(t.Context(), with(t, all, text))
		if want == "" && err != nil || want != "" && !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// views.sql is checked too: in the file, and as the warehouse has stored it.
func TestViewsAreChecked(t *testing.T) {
	t.Parallel()
	w, all := neighbours(t)
	i := serveReader(t, w, nil, all[1])
	for views, want := range map[string]string{
		"CREATE VIEW a AS SELECT *\nFROM estela.rejects;":            "mine/views.sql:2:6: reads estela.rejects",
		"CREATE VIEW a AS SELECT 1 AS n;\nDROP TABLE mine;":          "mine/views.sql:2:1: has a statement that is no CREATE VIEW",
		"CREATE VIEW a AS SELECT len(range(1000000000)) AS n;":       "mine/views.sql:1:29: range can make a value of 1.6e+10 bytes",
		"CREATE VIEW a AS FROM nothing;":                             "mine/views.sql:1:23: reads nothing, which is no table",
		"CREATE MACRO f() AS TABLE (FROM estela.rejects);":           "mine/views.sql:1:1: has a statement that is no CREATE VIEW",
		"CREATE VIEW a AS SELECT * FROM read_csv('x');":              "mine/views.sql:1:32: the function read_csv reads what lies outside",
		"CREATE VIEW a AS SELECT 1 AS n UNION SELECT checkpoint();;": "the function checkpoint does more than read",
	} {
		datasets := with(t, all, "-- A.\nSELECT * FROM mine")
		datasets[1].Views = views
		if err := i.api.Load(t.Context(), datasets); !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %v, want %q", views, err, want)
		}
	}
}

// An endpoint of two datasets needs a key for both.
func TestKeyOfAllThatIsRead(t *testing.T) {
	t.Parallel()
	w, all := neighbours(t)
	one, keyOne := access.NewKey("one", []string{"mine"})
	both, keyBoth := access.NewKey("both", []string{"mine", "yours"})
	file := filepath.Join(t.TempDir(), "keys.json")
	writeFile(t, file, []byte(fmt.Sprintf(`[{"name":"one","sha256":%q,"datasets":["mine"]},{"name":"both","sha256":%q,"datasets":["mine","yours"]}]`, keyOne.SHA256, keyBoth.SHA256)))
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	i := serveReader(t, w, nil, all[1], func(cfg *api.Config) {
		cfg.Datasets = with(t, all, "-- A.\n-- reads: yours\nSELECT * FROM joined")
		cfg.Access = &access.Authenticator{Keys: keys}
	})
	if status, _, _ := i.body(t, "/v1/mine/a", "Authorization", "Bearer "+both); status != http.StatusOK {
		t.Errorf("with both: %d", status)
	}
	if status, _, _ := i.body(t, "/v1/mine/a", "Authorization", "Bearer "+one); status != http.StatusForbidden {
		t.Errorf("with one: %d", status)
	}
}

// What was not checked is not run, even where nobody asked for the check.
func TestNothingUncheckedRuns(t *testing.T) {
	t.Parallel()
	w, all := neighbours(t)
	i := serveReader(t, w, nil, all[1], func(cfg *api.Config) { cfg.Datasets = with(t, all, "-- A.\nSELECT * FROM yours") })
	if r := i.get(t, "/v1/mine/a"); r.status != http.StatusInternalServerError || strings.Contains(r.text, "yours") {
		t.Errorf("%d %s", r.status, r.text)
	}
	for _, tried := range i.api.Try(t.Context()) {
		if tried.Err == nil {
			t.Errorf("%s was tried", tried.Path)
		}
	}
}
