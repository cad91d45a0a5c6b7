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

	Up       upCmd        `cmd:"" help:"Run the whole pipeline on this machine: Redis, worker, API and the sample of each dataset."`
	Worker   workerCmd    `cmd:"" help:"Store the events of the streams in the warehouse."`
	API      apiCmd       `cmd:"" name:"api" help:"Serve the endpoints over HTTP."`
	Publish  publishCmd   `cmd:"" help:"Send the rows of a file, or of standard input, as events."`
	Locate   locateCmd    `cmd:"" help:"Where is an event? In the stream, stored, rejected and why, or a duplicate of which."`
	Rejects  rejectsCmd   `cmd:"" help:"Show, replay and purge the events that broke their contract."`
	Replay   replayCmd    `cmd:"" help:"Read again what the streams still hold; the tables are the same after."`
	Backfill backfillCmd  `cmd:"" help:"Store the rows of a file straight in the warehouse, by the same contract and dedupe."`
	Doctor   doctorCmd    `cmd:"" help:"Check Redis, warehouse, contracts and clock, and say how to fix what is wrong."`
	Smoke    smokeCmd     `cmd:"" help:"Test a pipeline from outside: health, OpenAPI, answers, and how fast an event comes through."`
	Contract contractCmd  `cmd:"" help:"Check contracts, and documents against them."`
	Move     warehouseCmd `cmd:"" name:"warehouse" help:"Move the streams of datasets to another warehouse."`
	Endpoint endpointCmd  `cmd:"" help:"List, begin, check and try endpoints."`
	Key      keyCmd       `cmd:"" help:"Make API keys."`
	Version  versionCmd   `cmd:"" help:"Print the version of Estela, DuckDB and Go."`

	// Trace is what locate was called.
	Trace locateCmd `cmd:"" hidden:""`
}

// Globals are the flags of every command.
type Globals struct {
	Data    []string `help:"Dataset folder, or a folder of dataset folders; may be given several times. Default: the datasets built in." placeholder:"DIR" type:"existingdir"`
	DataDir string   `help:"Where the warehouse, Redis' files and the control socket are." default:"${datadir}"`
	Redis   string   `help:"URL of the Redis server (redis://, rediss:// or unix://). Default: that of the running 'estela up', else one of its own." placeholder:"URL"`
	redisFlags

	Warehouse string `help:"DuckDB file, or md:NAME with the token in MOTHERDUCK_TOKEN. Default: estela.duckdb in the data directory." placeholder:"FILE|md:NAME"`
	Memory    string `help:"DuckDB's memory for the warehouse; larger queries spill to disk." default:"1GB"`
	Spill     string `help:"Disk that larger queries may use; one that needs more fails, and ingestion keeps its disk." default:"4GB"`
	// ProcessMemory is read by watchMemory.
	ProcessMemory string `help:"Resident memory above which the process ends and refuses readers' queries. Default: twice --memory and 1GB, at most 80% of the machine's or the cgroup's." placeholder:"SIZE"`
	LogLevel      string `help:"Least level that is logged (${enum})." enum:"debug,info,warn,error" default:"info"`
	LogFormat     string `help:"How the log is written (${enum}); cloud is JSON with the fields of Google Cloud Logging." enum:"text,json,cloud" default:"text"`
}

// check refuses what no command should start with.
func (g *Globals) check() error {
	if mask.HasSecret(g.Warehouse) {
		return fault.Usagef("--warehouse has a token in it, where every user of the machine can see it: " +
			"write md:NAME alone, and put the token into the variable MOTHERDUCK_TOKEN")
	}
	return nil
}

// errReported ends a command that has said on its own what is wrong.
var errReported = errors.New("reported")

// pick reads the datasets and finds the one of that name.
func (g *Globals) pick(name string) (*dataset.Dataset, error) {
	all, err := dataset.Load(g.Data)
	if err != nil {
		return nil, err
	}
	return dataset.Pick(all, name)
}

// exitCode is the documented exit code of an error, which has one of few statuses.
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
