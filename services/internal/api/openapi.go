package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// openAPI writes the document of GET /openapi.json: OpenAPI 3.1 with one operation an endpoint,
// from the endpoint files and, once described, the columns of their answers.
func openAPI(k *catalog) ([]byte, error) {
	paths, taken := object{}, map[string]bool{}
	for _, r := range k.ordered {
		op := operation(k.cfg, r, k.pins)
		id := r.dataset + "_" + r.Name
		for n, base := 2, id; taken[id]; n++ { // a_b/c and a/b_c
			id = base + "_" + strconv.Itoa(n)
		}
		taken[id], op["operationId"] = true, id
		paths[r.path] = object{"get": op}
	}
	k.cfg.postOperations(k.posts, paths)
	document := object{
		"openapi": "3.1.0",
		"info":    info(),
		"servers": []object{{"url": "/"}},
		"tags":    tags(k.datasets, k.posts),
		"paths":   paths,
		"components": object{
			"schemas":   object{"Meta": metaSchema(), "Problem": problemSchema()},
			"headers":   answerHeaders(),
			"responses": object{"Problem": response("What is wrong, and what to do.", "application/problem+json", ref("schemas/Problem"))},
		},
	}
	document["security"] = []object{}
	if k.cfg.Access != nil {
		required, schemes := securitySchemes(k.cfg.Access)
		document["security"] = required
		document["components"].(object)["securitySchemes"] = schemes //nolint:forcetypeassert // from above
	}
	body, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("write OpenAPI document: %w", err)
	}
	return append(body, '\n'), nil
}

// securitySchemes returns the credentials of which a request needs one, and what they are.
func securitySchemes(of *access.Authenticator) (required []object, schemes object) {
	schemes = object{}
	if of.Keys != nil {
		required = append(required, object{"key": []string{}})
		schemes["key"] = object{"type": "http", "scheme": "bearer", "description": "An API key: estela_…."}
	}
	if of.Tokens != nil {
		required = append(required, object{"token": []string{}})
		schemes["token"] = object{"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A signed token, for some endpoints and for a time."}
	}
	return required, schemes
}

func info() object {
	return object{
		"title": "Estela", "version": "1",
		"description": "Each operation is a SQL file; its header is this documentation. A column has that of the contract's property " +
			"whose values it has. Every operation answers in application/json; other formats are for those who ask. " +
			"Errors are problem documents (RFC 9457) whose type is [one of these pages](/docs/problems).",
		"contact": object{"name": "Estela", "url": "https://github.com/estela-dev/estela"},
		"license": object{"name": "Apache License 2.0: the software; the data have terms of their own", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
	}
}

func tags(datasets []endpoint.Dataset, posts []string) []object {
	all, tagged := []object{}, map[string]bool{}
	for _, d := range datasets {
		all, tagged[d.Name] = append(all, object{"name": d.Name, "description": cmp.Or(d.Description, "The dataset "+d.Name+".")}), true
	}
	for _, name := range posts { // a key may write to what it may not read
		if !tagged[name] {
			all = append(all, object{"name": name, "description": "The dataset " + name + "."})
		}
	}
	return all
}

func ref(component string) object { return object{"$ref": "#/components/" + component} }

// operation returns an endpoint's operation, without its ID.
func operation(cfg *Config, r *route, pins access.Pins) object {
	params := []object{}
	for _, p := range r.Unpinned(pins.Values()) {
		q := parameter(p.Name, paramDescription(p), p.Required, paramSchema(p))
		if p.Example != nil {
			q["example"] = p.JSON(p.Example)
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
	params = append(params, parameter("format", "What the answer is written in; it goes before Accept. schema and dictionary describe its columns instead.", false, object{"type": "string", "enum": formatNames(r.offers)}))
	return object{
		"tags":        []string{r.dataset},
		"summary":     r.Summary,
		"description": r.operationDescription(),
		"parameters":  params,
		"responses": object{
			"200": object{"description": "The rows.", "headers": headerRefs(), "content": r.content()},
			"304": object{"description": "The client's answer, named in If-None-Match, is the right one still.", "headers": headerRefs()},
			"4XX": ref("responses/Problem"),
			"5XX": ref("responses/Problem"),
		},
	}
}

// operationDescription is the header's description, and how the answer is ordered and cut.
func (r *route) operationDescription() string {
	pages := "The answer is one piece."
	if len(r.Order) > 0 {
		var terms []string
		for _, o := range r.Order {
			term := o.Column
			if o.Desc {
				term += " descending"
			}
			terms = append(terms, term)
		}
		pages = "The answer comes in pages, ordered by " + strings.Join(terms, ", ") + "."
	}
	return strings.TrimSpace(r.Description + "\n\n" + pages)
}

// content returns the answer's media types, first the one that clients can rely on: JSON.
func (r *route) content() members {
	row := object{"type": "object"}
	if sh := r.shape.Load(); sh != nil {
		row = rowSchema(sh.Columns)
	}
	var content members
	for _, f := range r.offers {
		if len(f.accepts) == 0 {
			continue
		}
		media := object{"schema": object{"type": "string", "description": f.doc}}
		switch {
		case f.describe != nil:
			media["schema"] = object{"type": "object", "description": f.doc}
		case f == jsonFormat:
			media["schema"] = object{
				"type": "object", "required": []string{"data", "meta"}, "additionalProperties": false, "description": f.doc,
				"properties": object{"data": object{"type": "array", "items": row}, "meta": ref("schemas/Meta")},
			}
		}
		content = append(content, member{f.accepts[0], media})
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
