package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

const (
	// pageRows is the number of rows in a page without limit.
	pageRows = 20
	// maxAnswer is the size of the largest answer, in bytes: some 40,000 tokens.
	maxAnswer = 128 << 10
)

// tool is an operation as a tool.
type tool struct {
	sdk.Tool

	path   string
	params []string
	// limit is the default of limit; 0: the answer is one piece.
	limit int
}

// newTool returns the tool of the operation at the path.
func newTool(d *document, path string, op *operation) (*tool, error) {
	answer, err := d.answer(op)
	if err != nil {
		return nil, err
	}
	t := &tool{path: path}
	t.Name, t.Title = op.OperationID, op.Summary
	no := false
	t.Annotations = &sdk.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, DestructiveHint: &no, OpenWorldHint: &no}
	if t.InputSchema, err = t.input(op.Parameters); err != nil {
		return nil, err
	}
	about := []string{op.Summary, op.Description}
	if answer != nil {
		t.OutputSchema = answer
		names, err := columns(answer)
		if err != nil {
			return nil, err
		}
		about = append(about, "Columns: "+names+".")
	}
	if t.limit > 0 {
		about = append(about, "If meta.next is not null there are more rows: call again with it as cursor and the other arguments as they were.")
	}
	t.Description = strings.TrimSpace(strings.Join(about, "\n\n"))
	return t, nil
}

// input returns the schema of the arguments. format is none of them: every result is JSON.
func (t *tool) input(params []parameter) (map[string]any, error) {
	properties, required := map[string]any{}, []string{}
	for _, p := range params {
		s := maps.Clone(p.Schema)
		if s == nil {
			s = map[string]json.RawMessage{}
		}
		switch p.Name {
		case "format":
			continue
		case "limit":
			usual := pageRows
			if err := decode(s["default"], &usual); err != nil {
				return nil, fmt.Errorf("parameter limit: %w", err)
			}
			t.limit = min(usual, pageRows)
			s["default"] = strconv.AppendInt(nil, int64(t.limit), 10)
		case "cursor":
			p.Description = "Where the page begins: meta.next of the page before it. Leave it out for the first page."
		}
		if p.Description != "" {
			s["description"], _ = json.Marshal(p.Description)
		}
		if p.Example != nil {
			s["examples"] = slices.Concat([]byte("["), p.Example, []byte("]"))
		}
		properties[p.Name] = s
		t.params = append(t.params, p.Name)
		if p.Required {
			required = append(required, p.Name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}, nil
}

// call returns the answer to a GET with the arguments, or what is wrong, for the model to do better.
func (t *tool) call(ctx context.Context, api http.RoundTripper, arguments json.RawMessage) (*sdk.CallToolResult, error) {
	var result sdk.CallToolResult
	body, err := t.answer(ctx, api, arguments)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err() // nobody waits for it
	case err != nil:
		result.SetError(err)
	default:
		result.Content, result.StructuredContent = []sdk.Content{&sdk.TextContent{Text: string(body)}}, json.RawMessage(body)
	}
	return &result, nil
}

// answer returns the text of the answer.
func (t *tool) answer(ctx context.Context, api http.RoundTripper, arguments json.RawMessage) ([]byte, error) {
	query, err := t.query(arguments)
	if err != nil {
		return nil, err
	}
	res, err := get(ctx, api, t.path+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, refusedBy(res)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer broke off: %w", err)
	case len(body) > maxAnswer:
		return nil, errors.New(t.tooLarge())
	case !json.Valid(body):
		return nil, errors.New("the API answered with something else than JSON: there is another server at its address, or between")
	}
	return bytes.TrimSpace(body), nil
}

// tooLarge says how to ask for less.
func (t *tool) tooLarge() string {
	text := fmt.Sprintf("The answer has more than %d KiB, too much for one result. ", maxAnswer>>10)
	narrowing := slices.DeleteFunc(slices.Clone(t.params), func(name string) bool { return name == "limit" || name == "cursor" })
	if t.limit > 0 {
		text += "Ask for fewer rows with limit, and for the others by cursor. "
	}
	if len(narrowing) > 0 {
		text += "Narrow it with " + strings.Join(narrowing, ", ") + "."
	} else if t.limit == 0 {
		text += "This endpoint has no parameter to narrow it: ask those who run the API for one, or GET " + t.path + " without an agent."
	}
	return strings.TrimSpace(text)
}

// query writes the arguments as the query of a URL. What they mean the API checks.
func (t *tool) query(arguments json.RawMessage) (url.Values, error) {
	var given map[string]json.RawMessage
	if err := decode(arguments, &given); err != nil {
		return nil, errors.New("the arguments are no JSON object")
	}
	query := url.Values{}
	if t.limit > 0 {
		query.Set("limit", strconv.Itoa(t.limit))
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(t.params, name) {
			return nil, t.unknown(name)
		}
		var value any
		d := json.NewDecoder(bytes.NewReader(given[name]))
		d.UseNumber() // numbers keep their digits
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("the argument %s is no JSON", name)
		}
		switch v := value.(type) {
		case nil: // as if it was left out
		case string:
			query.Set(name, v)
		case json.Number:
			query.Set(name, v.String())
		case bool:
			query.Set(name, strconv.FormatBool(v))
		default:
			return nil, fmt.Errorf("the argument %s is an array or an object: it takes one value", name)
		}
	}
	return query, nil
}

func (t *tool) unknown(name string) error {
	if len(t.params) == 0 {
		return fmt.Errorf("the argument %.64q is unknown: this tool has none", name)
	}
	return fmt.Errorf("the argument %.64q is unknown: this tool has %s", name, strings.Join(t.params, ", "))
}
