package main

import (
	"errors"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/mask"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/worker"
)

// cli is the command line.
type cli struct {
	Globals

	Up       upCmd        `cmd:"" help:"Run the whole pipeline on this machine: Redis, worker, API and the sample of each dataset."`
	Worker   workerCmd    `cmd:"" help:"Carry events from the streams to the warehouse."`
	API      apiCmd       `cmd:"" name:"api" help:"Serve the endpoints over HTTP."`
	Publish  publishCmd   `cmd:"" help:"Send the rows of a file, or of standard input, as events."`
	Locate   locateCmd    `cmd:"" help:"Where is an event? In the stream, stored, rejected and why, or a duplicate of which."`
	Rejects  rejectsCmd   `cmd:"" help:"Look at, replay and purge the events that broke their contract."`
	Replay   replayCmd    `cmd:"" help:"Read again what the streams still hold; the tables are the same after."`
	Backfill backfillCmd  `cmd:"" help:"Store the rows of a file straight in the warehouse, by the same contract and dedupe."`
	Doctor   doctorCmd    `cmd:"" help:"Check Redis, warehouse, contracts and clock, and say how to mend what is wrong."`
	Smoke    smokeCmd     `cmd:"" help:"Look at a pipeline from outside: health, OpenAPI, answers, and how fast an event comes through."`
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
	DataDir string   `help:"Where the warehouse, Redis' files and the control socket lie." default:"${datadir}"`
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

// check refuses what no command should go on with.
func (g *Globals) check() error {
	if mask.Secret(g.Warehouse) {
		return usageError{errors.New("--warehouse has a token in it, where every user of the machine can see it: " +
			"write md:NAME alone, and put the token into the variable MOTHERDUCK_TOKEN")}
	}
	return nil
}

// errReported ends a command that has said on its own what is wrong.
var errReported = errors.New("reported")

// usageError is a wrong command line that kong can't see.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// refusedError is a refusal of the process that was asked.
type refusedError struct{ error }

// exitCode maps an error to the documented exit code, here and nowhere else.
func exitCode(err error) int {
	var usage usageError
	var fault *endpoint.ParseError
	var refused refusedError
	var loss *worker.LossError
	var schema *contract.SchemaError
	var table *warehouse.RefusedError
	var server *stream.RefusedError
	var change *breakError
	var other *event.OtherWarehouseError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage), errors.As(err, &fault):
		return exitUsage
	case errors.As(err, &loss), errors.As(err, &schema), errors.As(err, &refused), errors.As(err, &table), errors.As(err, &server), errors.As(err, &change), errors.As(err, &other):
		return exitRefused
	default:
		return exitFailed
	}
}
