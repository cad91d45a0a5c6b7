package client_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/client"
	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
)

var languages = []string{"typescript", "go", "python"}

// answering returns an endpoint whose answer has columns of text with these names.
func answering(name, description string, columns ...string) client.Endpoint {
	e := client.Endpoint{Dataset: "things", Endpoint: endpoint.Endpoint{Name: name, Summary: "A thing.", Description: description}}
	for _, c := range columns {
		e.Columns = append(e.Columns, textColumn(c, description))
	}
	return e
}

func textColumn(name, description string) client.Column {
	return columnOf(name, description, result.Type{Kind: column.Varchar})
}

func columnOf(name, description string, t result.Type) client.Column {
	return client.Column{Column: endpoint.Column{Column: result.Column{Name: name}, Description: description, Unit: description}, Type: t}
}

func generate(t *testing.T, lang string, endpoints ...client.Endpoint) string {
	t.Helper()
	text, err := client.Generate(lang, endpoints)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What the names of a row's fields are in Go and Python, in the order of the columns.
func TestNames(t *testing.T) {
	t.Parallel()
	fields := map[string]*regexp.Regexp{
		"go":     regexp.MustCompile(`(?m)^\t(\S+) +\*string`),
		"python": regexp.MustCompile(`(?m)^    (\S+): str \| None$`),
	}
	for _, c := range []struct {
		columns, golang, python []string
	}{
		{[]string{"event_id", "eventId", "EVENT-ID"}, []string{"EventID", "EventID2", "EventID3"}, []string{"event_id", "event_id_2", "event_id_3"}},
		{[]string{"class", "Class_", "None", "self"}, []string{"Class", "Class2", "None", "Self"}, []string{"class_", "class__2", "none", "self_"}},
		{[]string{"2nd", "!", "_", "größe", "中", "ﬁ"}, []string{"X2nd", "X", "X2", "Größe", "X中", "Fi"}, []string{"x2nd", "x", "x_2", "größe", "中", "fi"}},
		{[]string{"int", "date", "__init__", "URLPath"}, []string{"Int", "Date", "Init", "Urlpath"}, []string{"int_", "date", "init", "urlpath"}},
	} {
		for lang, want := range map[string][]string{"go": c.golang, "python": c.python} {
			var got []string
			for _, found := range fields[lang].FindAllStringSubmatch(generate(t, lang, answering("all", "", c.columns...)), len(c.columns)) {
				got = append(got, found[1])
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q are called %q, want %q", lang, c.columns, got, want)
			}
		}
	}
}

// Endpoints whose names differ only in what a language leaves out get methods and types of their own.
func TestEndpointsWithEqualNames(t *testing.T) {
	t.Parallel()
	for lang, methods := range map[string][2]string{
		"typescript": {"  thingsByDay(", "  thingsByDay2("},
		"go":         {") ThingsByDay(", ") ThingsByDay2("},
		"python":     {"    def things_by_day(", "    def things_by_day_2("},
	} {
		text := generate(t, lang, answering("by-day", "", "a"), answering("by_day", "", "a"))
		for _, method := range methods {
			if strings.Count(text, method) != 1 {
				t.Errorf("%s has not one %q", lang, method)
			}
		}
	}
}

// No documentation ends its comment, and none is shown in another order than it is read in.
func TestDocumentationStaysInItsComment(t *testing.T) {
	t.Parallel()
	const hostile = "ends */ here \"\"\" \\\"\"\" and `\r goes \u2028 on \u202e reversed \x00\nimport os"
	for lang, limits := range map[string]*regexp.Regexp{
		"typescript": regexp.MustCompile(`(?m)^ *import os`),
		"go":         regexp.MustCompile(`(?m)^\s*import os`),
		"python":     regexp.MustCompile(`(^|[^\\])""" \\|(^|[^\\])""" and`),
	} {
		text := generate(t, lang, answering("all", hostile, "a", "b"))
		if found := limits.FindString(text); found != "" {
			t.Errorf("%s has %q", lang, found)
		}
		if at := strings.IndexAny(text, "\r\u2028\u202e\x00"); at >= 0 {
			t.Errorf("%s has a character that is not printed: %q", lang, text[at:at+10])
		}
	}
	if text := generate(t, "typescript", answering("all", hostile, "a", "b")); strings.Contains(text, "ends */") {
		t.Error("the text ends a comment of TypeScript")
	}
}

func TestGenerateTwice(t *testing.T) {
	t.Parallel()
	e := answering("all", "All of them.", "a", "b")
	nested := []result.Field{{Name: "x", Type: result.Type{Kind: column.BigInt}}, {Name: "y", Type: result.Type{Kind: column.Date}}}
	e.Columns = append(e.Columns, columnOf("point", "", result.Type{Kind: column.Struct, Fields: nested}))
	e.Params = []endpoint.Param{{Name: "by", Type: "string", Enum: []string{"a", "b"}}}
	for _, lang := range languages {
		if first, second := generate(t, lang, e), generate(t, lang, e); first != second {
			t.Errorf("%s: the same endpoint gives two clients", lang)
		}
	}
}

func TestNothingToGenerate(t *testing.T) {
	t.Parallel()
	if _, err := client.Generate("cobol", []client.Endpoint{answering("all", "", "a")}); err == nil || !strings.Contains(err.Error(), `no language "cobol"`) {
		t.Errorf("cobol: %v", err)
	}
	if _, err := client.Generate("go", nil); err == nil {
		t.Error("there is a client of nothing")
	}
}

// Whatever a dataset's author writes, the client is one that Go can read, and the file says in each
// language what it is.
func FuzzGenerate(f *testing.F) {
	f.Add("name", "A description.", "value")
	f.Add("a`b\"c\\", "*/ \"\"\" \\", "\n")
	f.Add("", "\u2028\u202e", "`")
	f.Add("type", "\xff", "2")
	f.Fuzz(func(t *testing.T, name, description, value string) {
		e := answering("all", description, name, name+"_", "x"+name)
		inside := []result.Field{{Name: name, Type: result.Type{Kind: column.Decimal}}}
		for _, kind := range []column.Kind{column.Struct, column.Union, column.List} {
			e.Columns = append(e.Columns, columnOf(fmt.Sprint(name, kind.Width()), "", result.Type{Kind: kind, Fields: inside}))
		}
		e.Params = []endpoint.Param{{Name: "by", Type: "string", Enum: []string{value, value + "_", "x"}, Default: value, Description: description}}
		for _, lang := range languages {
			text, err := client.Generate(lang, []client.Endpoint{e})
			if err != nil {
				t.Fatalf("%s: %v", lang, err)
			}
			if first, _, _ := bytes.Cut(text, []byte("\n")); !bytes.Contains(first, []byte(client.Mark)) {
				t.Fatalf("%s begins with %q", lang, first)
			}
		}
	})
}
