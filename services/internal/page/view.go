package page

import (
	"embed"
	"html/template"
	"maps"
	"net/url"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed template
var templateFiles embed.FS

// pages are the templates by name, each with the layout.
var pages = parseTemplates()

func parseTemplates() map[string]*template.Template {
	layout := template.Must(template.New("layout").Funcs(template.FuncMap{
		"asset":  func(name string) string { return assetPaths[name] },
		"path":   pathTo,
		"number": isNumeric,
		"int64":  func(n int) int64 { return int64(n) },
		"inc":    func(i int) int { return i + 1 },
		"long":   longCell,
		"line":   func(kind, dataset, points string) line { return line{kind + "." + dataset, points} },
	}).ParseFS(templateFiles, "template/layout.html", "template/table.html", "template/change.html"))
	entries, err := templateFiles.ReadDir("template")
	if err != nil {
		panic(err) // embedded: a test would fail
	}
	all := map[string]*template.Template{}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".html")
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(templateFiles, "template/"+e.Name()))
	}
	return all
}

// view is what every page has: its data embed it.
type view struct {
	Language locale
	Title    string
	// Path is the page's, for what is marked in the navigation.
	Path string
	// Datasets are those that the visit opens.
	Datasets []string
	// Inspects and Guarded are the visit's.
	Inspects, Guarded bool
	asked             bool // the language is in the URL
	// Flags are those of a command on the process' files, FolderFlags those of one on the datasets' only.
	Flags, FolderFlags string
	query              url.Values
}

// newView returns that of a request.
func (s *Server) newView(visit Visit, path string, query url.Values, accept string) view {
	v := view{Path: path, Inspects: visit.Inspects(), Guarded: visit.Guarded(), query: query}
	for _, d := range visit.Datasets() {
		v.Datasets = append(v.Datasets, d.Name)
	}
	for _, folder := range s.cfg.Data {
		v.FolderFlags += " --data " + shellText(folder)
	}
	v.Flags = v.FolderFlags
	if s.cfg.DataDir != "" {
		v.Flags += " --data-dir " + shellText(s.cfg.DataDir)
	}
	v.Language, v.asked = localeOf(query.Get("lang"), accept)
	return v
}

// T returns the text in the page's language.
func (v view) T(text string) string { return v.Language.text(text) }

// Number writes a whole number with the language's separators.
func (v view) Number(n int64) string { return v.Language.printer().Sprintf("%d", n) }

// Time writes a time in UTC, empty for none.
func (v view) Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// Link returns a path of the page's, with the language that was asked for. pairs are parameters and
// their values; empty ones are left out.
func (v view) Link(path string, pairs ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	if v.asked {
		query.Set("lang", string(v.Language))
	}
	return target(path, query)
}

// InLanguage returns this page's URL in another language.
func (v view) InLanguage(lang string) string {
	query := maps.Clone(v.query)
	query.Set("lang", lang)
	return target((&url.URL{Path: v.Path}).EscapedPath(), query)
}

// Within reports whether the page is the one at the path or below it.
func (v view) Within(path string) bool { return v.Path == path || strings.HasPrefix(v.Path, path+"/") }

// Lang is the language for a form's hidden field, empty if it was not asked for.
func (v view) Lang() string {
	if v.asked {
		return string(v.Language)
	}
	return ""
}

// line is a line whose points move.
type line struct{ Name, Points string }

// pathTo returns the path of segments below a path.
func pathTo(base string, segments ...string) string {
	for _, s := range segments {
		base += "/" + url.PathEscape(s)
	}
	return base
}

// target returns the URL of a path with a query.
func target(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// locale is a language of the pages.
type locale string

const (
	english locale = "en"
	spanish locale = "es"
)

var locales = language.NewMatcher([]language.Tag{language.English, language.Spanish})

var printers = map[locale]*message.Printer{english: message.NewPrinter(language.English), spanish: message.NewPrinter(language.Spanish)}

// localeOf returns the language asked for, or else the one that the header Accept-Language prefers.
func localeOf(asked, accept string) (l locale, explicit bool) {
	if l = locale(asked); l == english || l == spanish {
		return l, true
	}
	if _, i := language.MatchStrings(locales, accept); i == 1 {
		return spanish, false
	}
	return english, false
}

func (l locale) printer() *message.Printer { return printers[l] }

// text translates a text of the pages. It is itself in English, so a missing translation is still a text;
// a test finds it.
func (l locale) text(text string) string {
	if l == spanish {
		if translated, ok := inSpanish[text]; ok {
			return translated
		}
	}
	return text
}
