package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/scaffold"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// streamSample is what was read of the stream that the dataset is made of.
type streamSample struct {
	*stream.Sample

	url string
	// refused is why a worker would not use the server; nil: it would.
	refused error
}

// checkSource refuses files and a stream at once, and neither.
func (c *initCmd) checkSource() error {
	switch {
	case c.Stream == "" && len(c.File) == 0:
		return fault.Usagef("name a file, - for standard input, or a stream: --redis URL --stream KEY")
	case c.Stream != "" && len(c.File) > 0:
		return fault.Usagef("--stream %s is one dataset and %s another: give one of them", c.Stream, strings.Join(c.File, ", "))
	case c.Stream != "" && (c.Format != string(tabular.Auto) || c.Encoding != ""):
		return fault.Usagef("--format and --encoding are of files: leave them out with --stream")
	}
	return nil
}

// sampleStream reads some of the stream's entries and writes their events to a file of the configuration:
// CSV for fields, which have no types, and NDJSON for documents.
func (c *initCmd) sampleStream(ctx context.Context, g *Globals, s *streams, cfg *scaffold.Config) (found *streamSample, end func() error, err error) {
	var closing cleanup
	url, err := g.redisURL(ctx)
	if err != nil {
		return nil, closing.run, err
	}
	connection, err := g.config(ctx, url, g.logger(s))
	if err != nil {
		return nil, closing.run, err
	}
	client, err := stream.Open(ctx, connection)
	if err != nil {
		return nil, closing.run, err
	}
	closing.add(client.Close)
	found = &streamSample{url: client.String(), refused: client.Check(ctx)}
	if found.Sample, err = client.Sample(ctx, c.Stream, stream.SampleConfig{}); err != nil {
		return nil, closing.run, err
	}
	if len(found.Documents) == 0 {
		return nil, closing.run, fmt.Errorf("stream %s: none of the %d entries that were read has an event that could be stored", c.Stream, found.Entries)
	}
	text := &bytes.Buffer{}
	if cfg.Format = tabular.NDJSON; found.Texts {
		cfg.Format = tabular.CSV
		err = writeTexts(text, found.Documents)
	} else {
		err = writeLines(text, found.Documents)
	}
	path := ""
	if err == nil {
		path, err = spoolInput(text, &closing)
	}
	cfg.Files, cfg.Stream = []scaffold.File{{Path: path, Name: "the stream " + c.Stream}}, &found.Stream
	return found, closing.run, err
}

func writeLines(to *bytes.Buffer, documents [][]byte) error {
	for _, d := range documents {
		if err := json.Compact(to, d); err != nil {
			return fmt.Errorf("write sample: %w", err)
		}
		to.WriteByte('\n')
	}
	return nil
}

// writeTexts writes objects of strings as CSV, with an empty field for a name that one lacks and for an
// empty text: in an entry both are no value, but of text.
func writeTexts(to io.Writer, documents [][]byte) error {
	var names []string
	rows := make([]map[string]string, len(documents))
	for i, d := range documents {
		if err := json.Unmarshal(d, &rows[i]); err != nil {
			return fmt.Errorf("write sample: %w", err)
		}
		for _, name := range orderOf(d) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	_, err := io.WriteString(to, "sep=,\n") // a name may have another separator in it
	if err != nil {
		return fmt.Errorf("write sample: %w", err)
	}
	w := csv.NewWriter(to)
	fault := w.Write(names)
	for _, row := range rows {
		record := make([]string, len(names))
		for i, name := range names {
			record[i] = row[name]
		}
		fault = errors.Join(fault, w.Write(record))
	}
	w.Flush()
	return errors.Join(fault, w.Error())
}

// orderOf returns the names of an object of strings, in their order.
func orderOf(document []byte) (names []string) {
	d := json.NewDecoder(bytes.NewReader(document))
	for i := -1; ; i++ { // after the brace, names and values in turn
		token, err := d.Token()
		if err != nil {
			return names
		}
		if name, ok := token.(string); ok && i%2 == 0 {
			names = append(names, name)
		}
	}
}

// showStream says what was read, and what of it is not stored.
func showStream(out io.Writer, found *streamSample, survey *scaffold.Survey) {
	form := fmt.Sprintf("the field %q of an entry has the event", found.Stream.Field)
	if found.Texts {
		form = "the fields of an entry are the properties"
	}
	say(out, "stream %s: %s; read %d of %d entries", found.Stream.Key, form, found.Entries, found.Length)
	if found.Other > 0 {
		say(out, "%d of them are not like the others: such entries become rejects", found.Other)
	}
	if len(found.Ignored) > 0 {
		say(out, "fields beside the event, which are not stored: %s", strings.Join(found.Ignored, ", "))
	}
	if len(survey.LeftOut) > 0 {
		say(out, "left out, for their values are of several types: %s", strings.Join(survey.LeftOut, ", "))
	}
	if found.refused != nil {
		say(out, "'estela up' will refuse this server as it is: %v", found.refused)
	}
}

// showNextOfStream prints the commands to go on with.
func showNextOfStream(out io.Writer, found *streamSample, survey *scaffold.Survey, folder *scaffold.Folder) {
	say(out, "  estela up --redis %s  # with the password, if there is one", shellWord(found.url))
	say(out, "  curl -s 'http://127.0.0.1:8080/v1/%s/%s?limit=3'", survey.Name, folder.Endpoints[0].Name)
	say(out, "it reads the stream from its oldest entry and changes nothing of it; see data/README.md, Events")
}
