package mcp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// document is what is read of an OpenAPI document.
type document struct {
	Info       struct{ Title, Version string }
	Tags       []struct{ Name, Description string }
	Paths      map[string]struct{ Get *operation }
	Components struct{ Schemas map[string]json.RawMessage }
}

// operation is one operation.
type operation struct {
	OperationID, Summary, Description string
	Parameters                        []parameter
	Responses                         map[string]struct {
		Content map[string]struct{ Schema json.RawMessage }
	}
}

// parameter is one parameter of a URL's query.
type parameter struct {
	Name, Description string
	Required          bool
	Schema            map[string]json.RawMessage
	Example           json.RawMessage
}

// parse reads the document's GET operations, in the order of their paths.
func parse(text []byte) (*document, []*tool, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, nil, fmt.Errorf("read OpenAPI document: %w", err)
	}
	var tools []*tool
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		if op := d.Paths[path].Get; op != nil {
			t, err := newTool(&d, path, op)
			if err != nil {
				return nil, nil, fmt.Errorf("read OpenAPI document: operation %s: %w", op.OperationID, err)
			}
			tools = append(tools, t)
		}
	}
	return &d, tools, nil
}

// instructions introduce the server to a model.
func (d *document) instructions() string {
	var b strings.Builder
	b.WriteString("Read-only access to these datasets:\n")
	for _, t := range d.Tags {
		fmt.Fprintf(&b, "- %s: %s\n", t.Name, cmp.Or(t.Description, "no description"))
	}
	b.WriteString("Each tool answers with data, the rows, and meta: as_of is the time of the newest data, and next, unless it is null, the cursor of the next page.")
	return b.String()
}

// answer returns the schema of the operation's answer in JSON, nil if it has none. References of
// its members are resolved, since they lead nowhere outside of the document.
func (d *document) answer(op *operation) (map[string]json.RawMessage, error) {
	var schema, members map[string]json.RawMessage
	if err := decode(op.Responses["200"].Content["application/json"].Schema, &schema); err != nil || schema == nil {
		return nil, err
	}
	if err := decode(schema["properties"], &members); err != nil {
		return nil, err
	}
	for name, member := range members {
		var ref struct {
			To string `json:"$ref"`
		}
		if err := decode(member, &ref); err != nil {
			return nil, err
		}
		if found, ok := d.Components.Schemas[strings.TrimPrefix(ref.To, "#/components/schemas/")]; ok {
			members[name] = found
		}
	}
	var err error
	schema["properties"], err = json.Marshal(members)
	return schema, err
}

// columns lists the columns of an answer with its schema and their units, in their order.
func columns(answer map[string]json.RawMessage) (string, error) {
	var members struct {
		Data struct {
			Items struct{ Properties json.RawMessage }
		}
	}
	if err := decode(answer["properties"], &members); err != nil {
		return "", err
	}
	properties := members.Data.Items.Properties
	units := map[string]struct {
		Annotation struct{ Unit string } `json:"x-estela"`
	}{}
	if err := decode(properties, &units); err != nil {
		return "", err
	}
	names := keys(properties)
	for i, name := range names {
		if unit := units[name].Annotation.Unit; unit != "" {
			names[i] += " (" + unit + ")"
		}
	}
	return strings.Join(names, ", "), nil
}

// decode is json.Unmarshal that leaves to alone if there is no text.
func decode(text json.RawMessage, to any) error {
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, to)
}

// keys are the names of a valid object's members, in their order.
func keys(object json.RawMessage) (names []string) {
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token()
	for d.More() {
		name, _ := d.Token()
		text, _ := name.(string)
		names = append(names, text)
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return names
		}
	}
	return names
}
