package scaffold

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/importer"
)

// events is what the sample's rows become by the contract and the mapping.
type events struct {
	// first is the first valid event: the text of its properties, as parameters have them.
	first map[string]string
	// from and to are the lowest and the highest time, in RFC 3339.
	from, to string
	// invalid counts those that break the contract; problem is why the first does.
	invalid int
	problem string
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
		return nil, fmt.Errorf("no row of %s is valid by the contract made of it: %s", s.from(), e.problem)
	}
	return e, nil
}

// take adds an event.
func (s *Survey) take(e *events, c *contract.Contract, decoder *contract.Decoder, d importer.Document) {
	problem := d.Problem
	if violations := decoder.Validate(d.JSON); problem == nil && len(violations) > 0 {
		problem = errors.New(violations[0].String())
	}
	if problem != nil {
		if e.invalid++; e.invalid == 1 {
			e.problem = fmt.Sprintf("line %d: %s", d.Line, problem)
		}
		return
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(d.JSON, &members) // it is valid
	properties := map[string]string{}
	for _, column := range c.Columns {
		for _, name := range append(column.Aliases, column.Name) {
			if raw, ok := members[name]; ok {
				properties[column.Name] = plain(raw)
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

// plain is the text of a string, and any other value as it is written.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return string(raw)
	}
	return text
}
