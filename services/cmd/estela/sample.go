package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/intake"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/telemetry"
)

// sampleMark is the progress of a dataset's sample, stored in the warehouse, so that it is published
// once even if 'up' is stopped half-way or restarts after the dedupe window.
type sampleMark struct {
	Sent int64 `json:"sent"`
	Done bool  `json:"done"`
}

// markEvery is how often the progress is stored. After a kill, events sent since are sent again, and
// dropped as duplicates where there is dedupe.
const markEvery = time.Second

// sampler publishes the samples of datasets to a worker of this process.
type sampler struct {
	rate int // events a second
	s    *streams
}

// publish publishes the rest of each dataset's sample.
func (c *sampler) publish(ctx context.Context, e *engine, tracing *telemetry.Tracing, embedded bool) error {
	for _, d := range e.core.datasets {
		if d.Sample == "" || e.core.g.Usage && d.Name == dataset.Usage { // which is what was really used
			continue
		}
		if d.Stream != nil { // others read it, too
			say(c.s.err, "sample of %s: not published, for the stream %q is another application's; 'estela backfill %s FILE' loads it", d.Name, d.Stream.Key, d.Name)
			continue
		}
		err := c.publishOne(ctx, e, tracing, d, embedded)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped half-way: the next run continues there
		}
		if err != nil {
			return fmt.Errorf("publish sample of %s: %w", d.Name, err)
		}
	}
	return nil
}

func (c *sampler) publishOne(ctx context.Context, e *engine, tracing *telemetry.Tracing, d *dataset.Dataset, embedded bool) (err error) {
	s, store, name := c.s, e.core.store, "sample:"+d.Name
	text, err := store.Marker(ctx, name)
	if err != nil {
		return err
	}
	var mark sampleMark
	if err := json.Unmarshal([]byte(cmp.Or(text, "{}")), &mark); err != nil {
		return err
	}
	if mark.Done {
		say(s.err, "sample of %s: published before, nothing to do", d.Name)
		return nil
	}
	file, remove, err := openSample(ctx, s, d)
	if err != nil {
		return err
	}
	defer remove()
	total, err := file.Rows(ctx)
	if err != nil {
		return err
	}
	left := int64(-1) // not known
	if total > 0 {
		left = total - mark.Sent
	}
	check := intake.NewChecker(d, intake.NewProgress(s.err, "publish sample of "+d.Name, left), s.err)
	check.Skip = mark.Sent
	p := intake.NewPublisher(ctx, e.redis, check, intake.Config{Rate: c.rate, ProducerConfig: stream.ProducerConfig{Trace: tracing.Publishing(ctx, d.Name)}})
	before := mark.Sent
	last := time.Now()
	save := func() error {
		last, mark.Sent = time.Now(), before+p.Sent()
		text, err := json.Marshal(mark)
		return errors.Join(err, store.SetMarker(context.WithoutCancel(ctx), name, string(text)))
	}
	err = file.Each(ctx, func(r importer.Document) error {
		// The embedded Redis loses uncommitted entries when the process is killed, so its
		// progress is stored at the end only.
		if !embedded && time.Since(last) >= markEvery {
			if err := save(); err != nil {
				return err
			}
		}
		return p.Send(r)
	})
	err = errors.Join(err, p.Close(context.WithoutCancel(ctx)), check.Finish("acknowledged by Redis"))
	if embedded {
		err = errors.Join(err, e.drain(ctx, d))
	}
	if mark.Done = err == nil; embedded && !mark.Done {
		return err // its entries are lost: store no progress
	}
	return errors.Join(err, save())
}

// openSample copies the sample to a temporary file, where DuckDB can read it, and opens it.
func openSample(ctx context.Context, s *streams, d *dataset.Dataset) (file *importer.File, remove func(), err error) {
	content, err := fs.ReadFile(d.Folder, d.Sample)
	if err != nil {
		return nil, nil, fmt.Errorf("read sample: %w", err)
	}
	dir, err := os.MkdirTemp("", "estela-sample-")
	if err != nil {
		return nil, nil, fmt.Errorf("make directory for sample: %w", err)
	}
	f := &fileFlags{File: filepath.Join(dir, d.Sample), Format: "auto", Mapping: "auto", sampleName: d.Name + "/" + d.Sample}
	if err = os.WriteFile(f.File, content, 0o600); err == nil {
		file, err = f.open(ctx, s, d)
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, nil, fmt.Errorf("open sample: %w", err)
	}
	return file, func() {
		_ = file.Close()
		_ = os.RemoveAll(dir)
	}, nil
}
