package api

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// openAPI writes the document of GET /openapi.json: OpenAPI 3.1 with one operation an endpoint,
// from the endpoint files and, once described, the columns of their answers.
func openAPI(cfg *Config, datasets []endpoint.Dataset, routes []*route) ([]byte, error) {
	properties := map[string][]contract.Column{}
	for _, d := range datasets {
		properties[d.Name] = d.Columns
	}
	paths := object{}
	for _, r := range routes {
		paths[r.path] = object{"get": operation(cfg, r, properties[r.dataset])}
	}
	document := object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Estela", "version": "1",
			"description": "Each operation is a SQL file; its header is this documentation. " +
				"Errors are problem documents (RFC 9457) whose type is [one of these pages](/docs/problems).",
		},
		"servers": []object{{"url": "/"}},
		"tags":    tags(datasets),
		"paths":   paths,
		"components": object{
			"schemas":   object{"Meta": metaSchema(), "Problem": problemSchema()},
			"headers":   answerHeaders(),
			"responses": object{"Problem": response("What is wrong, and what to do.", "application/problem+json", ref("schemas/Problem"))},
		},
	}
	if cfg.Keys != nil {
		document["security"] = []object{{"key": []string{}}}
		document["components"].(object)["securitySchemes"] = object{"key": object{"type": "http", "scheme": "bearer"}} //nolint:forcetypeassert // from above
	}
	body, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("write OpenAPI document: %w", err)
	}
	return append(body, '\n'), nil
}

func tags(datasets []endpoint.Dataset) []object {
	all := make([]object, len(datasets))
	for i, d := range datasets {
		all[i] = object{"name": d.Name}
		if d.Description != "" {
			all[i]["description"] = d.Description
		}
	}
	return all
}

func ref(component string) object { return object{"$ref": "#/components/" + component} }

// operation returns an endpoint's operation; properties are its dataset's columns.
func operation(cfg *Config, r *route, properties []contract.Column) object {
	params := []object{}
	for _, p := range r.Params {
		q := parameter(p.Name, paramDescription(p), p.Required, paramSchema(p))
		if p.Example != nil {
			q["example"] = jsonValue(p, p.Example)
		}
		params = append(params, q)
	}
	if len(r.Order) > 0 {
		most := r.Limit.Rows
		params = append(
			params,
			parameter("limit", "Rows in the page.", false, object{
				"type": "integer", "minimum": 1, "maximum": most, "default": min(cfg.PageRows, most),
			}),
			parameter("cursor", "Where the page begins: meta.next, or the Link header, of the page before.", false, object{"type": "string"}),
		)
	}
	params = append(params, parameter("format", "What the answer is written in; it goes before Accept.", false, object{"type": "string", "enum": formatNames(r.offers)}))
	op := object{
		"operationId": r.dataset + "_" + r.Name,
		"tags":        []string{r.dataset},
		"summary":     r.Summary,
		"parameters":  params,
		"responses": object{
			"200":     object{"description": "The rows.", "headers": headerRefs(), "content": r.content(properties)},
			"304":     object{"description": "The client's answer, named in If-None-Match, is the right one still.", "headers": headerRefs()},
			"default": ref("responses/Problem"),
		},
	}
	if r.Description != "" {
		op["description"] = r.Description
	}
	return op
}

// content returns the answer's media types.
func (r *route) content(properties []contract.Column) object {
	row := object{"type": "object"}
	if sh := r.shape.Load(); sh != nil {
		row = rowSchema(sh.Columns, properties)
	}
	content := object{}
	for _, f := range r.offers {
		media := object{"schema": object{"type": "string", "description": f.doc}}
		if f == jsonFormat {
			media["schema"] = object{
				"type": "object", "required": []string{"data", "meta"}, "additionalProperties": false, "description": f.doc,
				"properties": object{"data": object{"type": "array", "items": row}, "meta": ref("schemas/Meta")},
			}
		}
		content[f.accepts[0]] = media
	}
	return content
}

// answerHeaders returns the documented headers of answers.
func answerHeaders() object {
	header := func(description string) object {
		return object{"description": description, "schema": object{"type": "string"}}
	}
	return object{
		"ETag":          header("Names the answer. Send it as If-None-Match to be told 304 while nothing changed."),
		"Data-As-Of":    header("Time of the last commit that the answer shows, RFC 3339."),
		"Cache-Control": header("How long the answer may be used again."),
		"Link":          header("The next page, if there is one: <…>; rel=\"next\"."),
		"X-Request-ID":  header("What the server's log calls the request. A client may choose it."),
	}
}

func headerRefs() object {
	refs := object{}
	for name := range answerHeaders() {
		refs[name] = ref("headers/" + name)
	}
	return refs
}

func parameter(name, description string, required bool, schema object) object {
	p := object{"name": name, "in": "query", "required": required, "schema": schema}
	if description != "" {
		p["description"] = description
	}
	return p
}

func response(description, mediaType string, schema object) object {
	return object{"description": description, "content": object{mediaType: object{"schema": schema}}}
}

// paramDescription returns the description, with the pattern if JSON Schema can't express it.
func paramDescription(p endpoint.Param) string {
	if p.Pattern == nil {
		return p.Description
	}
	if _, ok := endpoint.ECMA(p.Pattern.String()); ok {
		return p.Description
	}
	note := "It must match " + markdownCode(p.Pattern.String()) + " (RE2)."
	return strings.TrimSpace(p.Description + "\n\n" + note)
}

// markdownCode formats a text as code in Markdown.
func markdownCode(text string) string {
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		text = " " + text + " "
	}
	return fence + text + fence
}
