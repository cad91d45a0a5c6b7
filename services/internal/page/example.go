package page

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// example is a request as a program.
type example struct{ Language, Text string }

// exampleData is what the programs are made of.
type exampleData struct {
	// Base is the URL without the query.
	Base   string
	Params []exampleParam
	URL    string
	// Key: a request needs one.
	Key bool
}

type exampleParam struct{ Name, Value string }

// programs are the examples' texts, in the order of the page. A literal is written by the rules of its language.
var programs = []struct {
	language string
	text     *template.Template
}{
	{"curl", program(`curl {{if .Key}}-H "Authorization: Bearer $ESTELA_API_KEY" {{end}}{{shell .URL}}
`)},
	{"Go", program(`package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
)

func main() {
	query := url.Values{ {{- range $i, $p := .Params}}{{if $i}}, {{end}}{{quote .Name}}: { {{- quote .Value -}} }{{end -}} }
	req, err := http.NewRequest("GET", {{quote .Base}}+"?"+query.Encode(), nil)
	if err != nil {
		panic(err)
	}
{{- if .Key}}
	req.Header.Set("Authorization", "Bearer "+os.Getenv("ESTELA_API_KEY"))
{{- end}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	io.Copy(os.Stdout, res.Body)
}
`)},
	{"Python", program(`import json
{{if .Key}}import os
{{end}}from urllib.parse import urlencode
from urllib.request import Request, urlopen

query = { {{- range $i, $p := .Params}}{{if $i}}, {{end}}{{json .Name}}: {{json .Value}}{{end -}} }
request = Request({{json .Base}} + "?" + urlencode(query))
{{if .Key}}request.add_header("Authorization", "Bearer " + os.environ["ESTELA_API_KEY"])
{{end}}for row in json.load(urlopen(request))["data"]:
    print(row)
`)},
	{"JavaScript", program(`const query = new URLSearchParams({ {{- range $i, $p := .Params}}{{if $i}}, {{end}}{{json .Name}}: {{json .Value}}{{end -}} });
const response = await fetch({{json .Base}} + "?" + query{{if .Key}}, {
  headers: { Authorization: "Bearer " + process.env.ESTELA_API_KEY },
}{{end}});
const { data } = await response.json();
console.log(data);
`)},
}

func program(text string) *template.Template {
	return template.Must(template.New("example").Funcs(template.FuncMap{"shell": shellQuote, "quote": strconv.Quote, "json": jsonQuote}).Parse(text))
}

// examplesOf returns the programs of a request.
func examplesOf(base string, query url.Values, key bool) []example {
	data := exampleData{Base: base, URL: target(base, query), Key: key}
	for name := range query {
		data.Params = append(data.Params, exampleParam{name, query.Get(name)})
	}
	slices.SortFunc(data.Params, func(a, b exampleParam) int { return strings.Compare(a.Name, b.Name) })
	var all []example
	for _, p := range programs {
		var b bytes.Buffer
		if err := p.text.Execute(&b, data); err != nil {
			panic(err) // a buffer takes all, and the templates are tested
		}
		all = append(all, example{p.language, b.String()})
	}
	return all
}

// shellQuote quotes a word for a POSIX shell.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// jsonQuote quotes a text as JSON, whose texts are literals of JavaScript and Python, too.
func jsonQuote(text string) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(text)
	return strings.TrimSuffix(b.String(), "\n"), err
}
