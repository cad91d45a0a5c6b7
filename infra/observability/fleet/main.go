// Command fleet measures what Prometheus needs for the rules and dashboards of many systems, on this machine: it feeds
// Debian's Prometheus with what 5, 15 and 50 systems expose in a day and keeps the figures in result.json. It takes about twenty
// minutes:
//
//	cd infra && go run ./observability/fleet && go run ./observability/gen
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/estela-dev/estela/infra/observability/growth"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

// measured are the fleets: three sizes over a day, and one of them over other times. check is as large as what the lines
// are asked for.
var (
	measured = []Fleet{
		{Systems: 5, Span: 24 * time.Hour},
		{Systems: 15, Span: 6 * time.Hour},
		{Systems: 15, Span: 12 * time.Hour},
		{Systems: 15, Span: 24 * time.Hour},
		{Systems: 15, Span: 7 * 24 * time.Hour},
		{Systems: 50, Span: 24 * time.Hour},
	}
	check = Fleet{Systems: 500, Span: 24 * time.Hour}
)

func run(ctx context.Context, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	flags.SetOutput(log)
	out := flags.String("out", "observability/fleet/result.json", "file that the figures are written to")
	again := flags.Bool("check", false, "measure the check alone, and keep the points that the file has")
	limit := flags.Duration("timeout", 40*time.Minute, "after which it gives up")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("read flags: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	result, err := machine(ctx)
	if err != nil {
		return err
	}
	points := measured
	if *again {
		old, err := read(*out)
		if err != nil {
			return err
		}
		result.Points, points = old.Points, nil
	}
	for _, f := range points {
		point, err := measure(ctx, log, f)
		if err != nil {
			return err
		}
		result.Points = append(result.Points, point)
	}
	if result.Check, err = measure(ctx, log, check); err != nil {
		return err
	}
	return write(*out, result)
}

// measure is Measure in a folder that is gone afterwards.
func measure(ctx context.Context, log io.Writer, f Fleet) (p growth.Point, err error) {
	dir, err := os.MkdirTemp("", "estela-fleet-")
	if err != nil {
		return p, fmt.Errorf("make folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	begin := time.Now()
	if p, err = Measure(ctx, dir, f); err != nil {
		return p, fmt.Errorf("measure %d systems over %s: %w", f.Systems, f.Span, err)
	}
	fmt.Fprintf(log, "%d systems over %s: measured in %.0f s\n", f.Systems, f.Span, time.Since(begin).Seconds())
	return p, nil
}

func read(file string) (growth.Result, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return growth.Result{}, fmt.Errorf("read result (run this in infra/): %w", err)
	}
	return growth.Parse(text)
}

func write(file string, result growth.Result) error {
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write result (run this in infra/): %w", err)
	}
	return nil
}
