package scaffold

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/inference"
)

// verify reads all rows as publish will, by the contract and the mapping: what becomes no valid event
// is counted, and leaves the sample. A key that two rows have once they are stored is none: instants
// are equal in any zone, UUIDs in any case.
func (s *Survey) verify(ctx context.Context) error {
	c, err := contract.Parse(s.Name, s.Name+"/contract.json", s.Contract())
	if err != nil {
		return err
	}
	cfg := s.config()
	cfg.Shape, cfg.Mapping, cfg.MappingName, cfg.MapFormats = c.Shape(), s.Mapping(), "mapping.sql", s.formats()
	var keys inference.Seen
	compare := len(c.Key) > 0 && !s.madeKey() && !s.storesKeyAsRead()
	b, decoder, valid, again := c.NewBatch(0, 1), c.NewDecoder(), int64(0), false
	err = s.each(ctx, cfg, func(r *row) error {
		b.Reset()
		if r.problem == nil && decoder.Decode(b, r.doc, event.ID{}, 0) {
			valid++
			again = again || compare && !keys.Add(b.Hashes[0])
			return nil
		}
		if r.problem == nil {
			r.problem = errors.New(b.Rejects[0].Violations[0].String())
		}
		s.sample.drop(r.file, r.line)
		if s.Invalid++; s.Invalid == 1 {
			s.Problem = fmt.Sprintf("%s, line %d: %s", s.Files[r.file].Name, r.line, r.problem)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case valid == 0:
		return fmt.Errorf("no row of %s is a valid event by the contract made of it: %s", s.from(), s.Problem)
	case len(s.sample.rows.heap) == 0:
		return fmt.Errorf("%d rows of %s are no valid events, too many to make a sample: %s", s.Invalid, s.from(), s.Problem)
	case again:
		s.Key = inference.Key{}
		return s.check()
	}
	return nil
}

// storesKeyAsRead reports whether the key's values are stored as the texts that were compared.
func (s *Survey) storesKeyAsRead() bool {
	for _, at := range s.Key.Columns {
		if c := &s.Columns[at]; !s.Format.IsTable() || c.Type != "string" || c.Format != "" || s.converts(c) {
			return false
		}
	}
	return true
}

// events is what the sample's rows become by the contract and the mapping.
type events struct {
	// first is the first valid event: the text of its properties, as parameters have them.
	first map[string]string
	// from and to are the lowest and the highest time, in RFC 3339.
	from, to string
}

// readBack reads the sample in the folder as up will.
func (s *Survey) readBack(ctx context.Context, dir, sample string) (*events, error) {
	c, err := contract.Parse(s.Name, s.Name+"/contract.json", s.Contract())
	if err != nil {
		return nil, err
	}
	f, err := importer.Open(ctx, importer.Config{
		Path: filepath.Join(dir, sample), Mapping: s.Mapping(), MappingName: "mapping.sql", MapFormats: s.formats(), Shape: c.Shape(),
	})
	if err != nil {
		return nil, err
	}
	e, decoder := &events{}, c.NewDecoder()
	err = f.Each(ctx, func(d importer.Document) error { s.take(e, c, decoder, d); return nil })
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if e.first == nil {
		return nil, fmt.Errorf("no row of the sample of %s is a valid event", s.from())
	}
	return e, nil
}

// take adds an event.
func (s *Survey) take(e *events, c *contract.Contract, decoder *contract.Decoder, d importer.Document) {
	if d.Problem != nil || len(decoder.Validate(d.JSON)) > 0 {
		return
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(d.JSON, &members) // it is valid
	properties := map[string]string{}
	for _, column := range c.Columns {
		for _, name := range append(column.Aliases, column.Name) {
			if raw, ok := members[name]; ok {
				properties[column.Name] = contract.PlainText(raw)
			}
		}
	}
	if e.first == nil {
		e.first = properties
	}
	if s.Time >= 0 {
		at := properties[s.Columns[s.Time].Property]
		if e.from == "" || at < e.from {
			e.from = at
		}
		e.to = max(e.to, at)
	}
}
