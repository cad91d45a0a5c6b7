package main

import (
	"errors"
	"net/http"

	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/mask"
	"github.com/estela-dev/estela/services/internal/operation"
)

// cli is the command line.
type cli struct {
	Globals

	Init     initCmd      `cmd:"" help:"Make a dataset of files: contract, endpoints with tests, a sample."`
	Up       upCmd        `cmd:"" help:"Run the whole pipeline on this machine: Redis, worker, API and the sample of each dataset."`
	Worker   workerCmd    `cmd:"" help:"Store the events of the streams in the warehouse."`
	API      apiCmd       `cmd:"" name:"api" help:"Serve the endpoints over HTTP."`
	Ingest   ingestCmd    `cmd:"" help:"Take events by POST and publish them to the streams."`
	Publish  publishCmd   `cmd:"" help:"Send the rows of a file, or of standard input, as events."`
	Locate   locateCmd    `cmd:"" help:"Locate an event: in the stream, stored, rejected and why, or a duplicate of which."`
	Rejects  rejectsCmd   `cmd:"" help:"List, show, replay and purge rejects: events that break their contract."`
	Replay   replayCmd    `cmd:"" help:"Reread the streams' entries and store the missing ones; nothing is stored twice."`
	Backfill backfillCmd  `cmd:"" help:"Store the rows of a file in the warehouse directly, with the same validation and dedupe."`
	Doctor   doctorCmd    `cmd:"" help:"Check Redis, warehouse, contracts and clock, with a fix for each problem."`
	Smoke    smokeCmd     `cmd:"" help:"Test a pipeline from outside: health, OpenAPI, responses, and how fast an event is served."`
	Contract contractCmd  `cmd:"" help:"Check contracts, and documents against them."`
	Move     warehouseCmd `cmd:"" name:"warehouse" help:"Move the streams of datasets to another warehouse."`
	Endpoint endpointCmd  `cmd:"" help:"List, create, check and run endpoints."`
	Client   clientCmd    `cmd:"" help:"Write a typed client of the endpoints in TypeScript, Go or Python."`
	MCP      mcpCmd       `cmd:"" name:"mcp" help:"Offer the endpoints of an API to an agent as tools (Model Context Protocol), on standard input and output."`
	Key      keyCmd       `cmd:"" help:"Create, list and revoke API keys."`
	Token    tokenCmd     `cmd:"" help:"Make signed tokens for customers, and the keys that sign them."`
	Version  versionCmd   `cmd:"" help:"Print the version of Estela, DuckDB and Go."`

	Completion completionCmd `cmd:"" help:"Print the script by which a shell completes commands, flags, datasets and endpoints."`
	Complete   completeCmd   `cmd:"" name:"__complete" hidden:"" passthrough:""`

	// Trace is the former name of locate.
	Trace locateCmd `cmd:"" hidden:""`
}

// Globals are the flags of every command.
type Globals struct {
	Data    []string `help:"Dataset folder, or a folder of dataset folders; may be given several times. Default: those of the current directory, else those built in." placeholder:"DIR" type:"existingdir"`
	Usage   bool     `help:"Store who has used what: adds the dataset usage to the others; up, api and ingest count requests, rows, bytes, errors and time a subject and endpoint into it, each minute."`
	DataDir string   `help:"Directory of the warehouse, Redis' files and the control socket." default:"${datadir}"`
	Redis   string   `help:"URL of the Redis server (redis://, rediss:// or unix://). Default: that of the running 'estela up', else it starts one." placeholder:"URL"`
	redisFlags

	Warehouse string `help:"DuckDB file, or md:NAME with the token in MOTHERDUCK_TOKEN. Default: estela.duckdb in the data directory." placeholder:"FILE|md:NAME"`
	Memory    string `help:"DuckDB's memory for the warehouse; larger queries spill to disk." default:"1GB"`
	Spill     string `help:"Disk that queries may spill to; one that needs more fails, so that ingestion keeps its disk." default:"4GB"`
	here      bool   // Data is the current directory, where datasets were found

	// ProcessMemory is read by watchMemory.
	ProcessMemory string `help:"Resident memory above which the process cancels and refuses readers' queries. Default: twice --memory and 1GB, at most 80% of the machine's or the cgroup's." placeholder:"SIZE"`
	LogLevel      string `help:"Lowest level to log (${enum})." enum:"debug,info,warn,error" default:"info"`
	LogFormat     string `help:"Format of the log (${enum}); cloud is JSON with the fields of Google Cloud Logging." enum:"text,json,cloud" default:"text"`
}

// check refuses a token in --warehouse, and finds the datasets of the current directory.
func (g *Globals) check() error {
	if len(g.Data) == 0 && dataset.IsIn(".") {
		g.Data, g.here = []string{"."}, true
	}
	if mask.HasSecret(g.Warehouse) {
		return fault.Usagef("--warehouse has a token in it, where every user of the machine can see it: " +
			"write md:NAME alone, and put the token into the variable MOTHERDUCK_TOKEN")
	}
	return nil
}

// errReported ends a command that has printed its own error.
var errReported = errors.New("reported")

// pick loads the datasets and returns the one with the name.
func (g *Globals) pick(name string) (*dataset.Dataset, error) {
	all, err := g.load()
	if err != nil {
		return nil, err
	}
	return dataset.Pick(all, name)
}

// load loads the datasets of the flags.
func (g *Globals) load() ([]*dataset.Dataset, error) { return dataset.Load(g.Data, g.Usage) }

// exitCode maps an error to the documented exit code.
func exitCode(err error) int {
	switch operation.Status(err) {
	case http.StatusOK:
		return exitDone
	case http.StatusBadRequest:
		return exitUsage
	case http.StatusConflict:
		return exitRefused
	default:
		return exitFailed
	}
}
