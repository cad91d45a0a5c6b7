package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/inference"
	"github.com/estela-dev/estela/services/internal/intake"
	"github.com/estela-dev/estela/services/internal/scaffold"
	"github.com/estela-dev/estela/services/internal/tabular"
)

type initCmd struct {
	File     []string `arg:"" optional:"" help:"Files of one dataset: CSV, TSV, NDJSON, JSON or Parquet, plain or compressed with gzip or zstd; - is standard input."`
	Stream   string   `help:"Key of a stream, of --redis or the running 'estela up', that the dataset's events are in: some of its entries are read in place of files, and its producers stay as they are." placeholder:"KEY"`
	Name     string   `help:"Name of the dataset: its folder, its table and its path. Default: the name of the file or of the stream."`
	DryRun   bool     `help:"Print what would be written, and write nothing."`
	Format   string   `help:"Format of the files (${enum}); auto detects it by name, else by content." enum:"auto,csv,tsv,ndjson,json,parquet" default:"auto"`
	Encoding string   `help:"Character encoding of the files, such as windows-1252, if it is not UTF-8 and they have no byte order mark." placeholder:"NAME"`
}

// Run is 'estela init'.
func (c *initCmd) Run(ctx context.Context, g *Globals, s *streams) (err error) {
	if err := c.checkSource(); err != nil {
		return err
	}
	dir, name, err := c.place(g)
	if err != nil {
		return err
	}
	progress := intake.NewProgress(s.err, "read "+cmp.Or(c.Stream, strings.Join(c.File, ", ")), -1)
	cfg := scaffold.Config{Name: name, Format: tabular.Format(c.Format), Encoding: c.Encoding, Read: progress.Add}
	var found *streamSample
	end := func() error { return nil }
	if c.Stream != "" {
		found, end, err = c.sampleStream(ctx, g, s, &cfg)
	} else {
		cfg.Files, end, err = c.files(s)
	}
	defer func() { err = errors.Join(err, end()) }()
	if err != nil {
		return err
	}
	survey, err := scaffold.Read(ctx, cfg)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: nothing was written")
	case err != nil:
		return asUsage(err)
	}
	progress.Finish("rows")
	parent := dir
	if c.DryRun {
		parent = os.TempDir()
	}
	folder, err := survey.Write(ctx, parent, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Discard()) }()
	if err := testFolder(ctx, g, s, folder); err != nil {
		return err
	}
	return c.finish(s, survey, folder, found)
}

// place returns the directory of the dataset's folder, which is not there yet, and its name.
func (c *initCmd) place(g *Globals) (dir, name string, err error) {
	dir, name = ".", c.Name
	if len(g.Data) > 1 {
		return "", "", fault.Usagef("give one --data, the directory in which to make the dataset's folder")
	}
	if len(g.Data) == 1 {
		dir = g.Data[0]
	}
	if _, err := os.Stat(filepath.Join(dir, "contract.json")); err == nil {
		return "", "", fault.Usagef("%s is a dataset itself: go to the directory above it, or give another with --data", dir)
	}
	if name == "" {
		name = datasetName(c.File)
	}
	if name == "" && c.Stream != "" {
		name = inference.PropertyName(c.Stream)
	}
	switch {
	case name == "":
		return "", "", fault.Usagef("the files do not tell how to call the dataset: give --name NAME")
	case inference.PropertyName(name) != name:
		return "", "", fault.Usagef("%q can't be the name of a dataset: lower case letters, digits and _, beginning with a letter, 59 at most, such as %q", name, inference.PropertyName(name))
	}
	return dir, name, scaffold.Free(filepath.Join(dir, name))
}

// datasetName is what the files are called, or the beginning that their names share; empty for standard
// input.
func datasetName(files []string) string {
	shared := ""
	for i, file := range files {
		base, _, _ := strings.Cut(filepath.Base(file), ".")
		switch {
		case file == "-":
			return ""
		case i == 0:
			shared = base
			continue
		}
		for !strings.HasPrefix(base, shared) {
			shared = shared[:len(shared)-1]
		}
	}
	if len(files) > 1 {
		shared = strings.TrimRight(shared, "0123456789-_ ")
	}
	name := inference.PropertyName(shared)
	if digits, ok := strings.CutPrefix(name, "column_"); ok {
		name = "data_" + digits
	}
	return name
}

// files returns the files to read. What can be read once only, standard input or a pipe, is copied to a
// temporary file; the caller calls end, also after an error.
func (c *initCmd) files(s *streams) (files []scaffold.File, end func() error, err error) {
	var closing cleanup
	for _, name := range c.File {
		file := scaffold.File{Path: name, Name: name}
		info, failed := os.Stat(name)
		switch {
		case name == "-" && len(c.File) > 1:
			err = fault.Usagef("- is standard input, and goes alone")
		case name == "-":
			file.Name = "standard input"
			file.Path, err = spoolInput(s.in, &closing)
		case failed == nil && info.Mode()&os.ModeNamedPipe != 0:
			file.Path, err = spoolPipe(name, &closing)
		}
		if err != nil {
			return nil, closing.run, err
		}
		files = append(files, file)
	}
	return files, closing.run, nil
}

func spoolPipe(name string, closing *cleanup) (string, error) {
	pipe, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("open pipe: %w", err)
	}
	defer pipe.Close()
	return spoolInput(pipe, closing)
}

func spoolInput(in io.Reader, closing *cleanup) (string, error) {
	file, err := os.CreateTemp("", "estela-init-")
	if err != nil {
		return "", fmt.Errorf("spool input: %w", err)
	}
	closing.add(func() error { return os.Remove(file.Name()) })
	_, err = io.Copy(file, in)
	if err := errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("spool input: %w", err)
	}
	return file.Name(), nil
}

// asUsage marks errors of files that are not what was meant.
func asUsage(err error) error {
	for _, usage := range []error{fs.ErrNotExist, fs.ErrPermission, syscall.EISDIR, tabular.ErrEncoding} {
		if errors.Is(err, usage) {
			return fault.Usage(err)
		}
	}
	return err
}

// testFolder runs the endpoints of the folder on its sample, and writes what they answer as their tests.
func testFolder(ctx context.Context, g *Globals, s *streams, folder *scaffold.Folder) error {
	all, err := dataset.Load([]string{folder.Dir}, false)
	if err != nil {
		return err
	}
	own, end, err := g.sampled(ctx, s, all)
	defer end()
	if err != nil {
		return err
	}
	accept := &endpointTestCmd{Update: true}
	return own.serve(ctx, func(ctx context.Context, base string) error {
		for i := range all[0].Endpoints {
			t := &endpointTest{dataset: all[0], endpoint: &all[0].Endpoints[i]}
			for _, made := range folder.Endpoints {
				if made.Name == t.endpoint.Name {
					t.cases = made.Cases
				}
			}
			if _, err := accept.run(ctx, &streams{out: io.Discard, err: s.err}, base, t); err != nil {
				return fmt.Errorf("test %s: %w", t.name(), err)
			}
			folder.Files = append(folder.Files, "endpoints/"+t.endpoint.Name+".test.json")
		}
		return nil
	})
}

// finish keeps the folder, or prints its files, and says what was found and what to do next.
func (c *initCmd) finish(s *streams, survey *scaffold.Survey, folder *scaffold.Folder, found *streamSample) error {
	if c.DryRun {
		for _, name := range folder.Files {
			text, err := os.ReadFile(filepath.Join(folder.Dir, filepath.FromSlash(name)))
			if err != nil {
				return fmt.Errorf("print %s: %w", name, err)
			}
			if strings.HasPrefix(name, "sample.") {
				text = fmt.Appendf(nil, "(%d bytes)\n", len(text))
			}
			say(s.out, "==> %s <==\n%s", filepath.Join(folder.At, name), text)
		}
	} else if err := folder.Keep(); err != nil {
		return err
	}
	if err := showSurvey(s.out, survey); err != nil {
		return err
	}
	if found != nil {
		showStream(s.out, found, survey)
	}
	if !c.DryRun {
		c.showNext(s.out, survey, folder, found)
	}
	return nil
}

func showSurvey(out io.Writer, survey *scaffold.Survey) error {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "COLUMN\tPROPERTY\tTYPE\tNOTE (? may be absent)")
	for _, l := range survey.Report() {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", shortened(l.Column), l.Property, l.Type, shortened(l.Note))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		say(out, "%s", strings.TrimRight(line, " \n"))
	}
	say(out, "key   %s\ntime  %s", survey.KeyReason(), survey.TimeReason())
	if survey.Invalid > 0 {
		say(out, "%d of the rows are no valid events, and publish will report them: %s", survey.Invalid, survey.Problem)
	}
	return nil
}

// shortened fits a text in a table, on one line.
func shortened(text string) string {
	const most = 100
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}

// showNext prints the commands to go on with.
func (c *initCmd) showNext(out io.Writer, survey *scaffold.Survey, folder *scaffold.Folder, found *streamSample) {
	say(out, "wrote %s: %s", folder.At, folder.Summary())
	if dir := filepath.Dir(folder.At); dir != "." {
		say(out, "next, in %s:", dir)
	} else {
		say(out, "next:")
	}
	if found != nil {
		showNextOfStream(out, found, survey, folder)
		return
	}
	say(out, "  estela up")
	say(out, "  curl -s 'http://127.0.0.1:8080/v1/%s/%s?limit=3'", survey.Name, folder.Endpoints[0].Name)
	if int64(survey.SampleRows()) == survey.Rows {
		return
	}
	flags := ""
	if c.Encoding != "" {
		flags += " --encoding " + shellWord(c.Encoding)
	}
	if c.Format != string(tabular.Auto) {
		flags += " --format " + c.Format
	}
	for i, file := range c.File {
		comment := ""
		if i == 0 {
			comment = fmt.Sprintf("  # all %d rows; the sample has %d", survey.Rows, survey.SampleRows())
		}
		say(out, "  estela publish %s %s%s%s", survey.Name, shellWord(file), flags, comment)
	}
}

// shellWord writes an argument as a shell reads it.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:@%+,=", r)
	}
	if strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
