package page

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/problem"
	"github.com/estela-dev/estela/services/internal/statement"
)

const (
	// maxShownRows is how many rows of an answer are shown, maxSentRows how many are sent.
	maxShownRows, maxSentRows = 1000, 100_000
	// maxURL is the longest query string that is taken: the server reads 16 KiB of a request's line and headers.
	maxURL = 14 << 10
	// queryTime is the time limit of a query, in its header.
	queryTime = "10s"
)

// chartKinds are the kinds of charts that can be chosen.
var chartKinds = []string{"bar", "line", "area", "scatter", "histogram", "heatmap"}

// sentFormats are the formats to download.
var sentFormats = []string{"csv", "ndjson", "json", "parquet", "arrow"}

func (s *Server) queryRoutes() []route {
	return []route{{"/sql", inspecting(s.query)}, {"/sql/answer", inspecting(s.queryAnswer)}}
}

// ask is what a visit to /sql asks.
type ask struct {
	// SQL is the person's text, with or without a header.
	SQL string
	// Kind, X, Y and Series are how to draw the answer, by the page's fields.
	Kind, X, Y, Series string

	endpoint endpoint.Endpoint
	fault    error // of the header
	own      bool  // the text has a header of its own
}

func newAsk(query url.Values) *ask {
	a := &ask{SQL: strings.ReplaceAll(query.Get("sql"), "\r\n", "\n"), Kind: query.Get("kind"), X: query.Get("x"), Y: query.Get("y"), Series: query.Get("series")}
	a.own = strings.HasPrefix(strings.TrimSpace(a.SQL), "--")
	file, _ := a.file(false)
	a.endpoint, a.fault = endpoint.Parse("query.sql", file)
	return a
}

// HasChart reports whether the text's own header says how to draw the answer.
func (a *ask) HasChart() bool { return a.endpoint.Chart != nil }

// draws reports whether there is a chart to draw.
func (a *ask) draws() bool { return a.HasChart() || a.Kind != "" && a.X != "" }

// file returns the text as an endpoint's file, with the chart that the page's fields say or without it, and which of
// its lines, from 1, are not the person's.
func (a *ask) file(chart bool) (text string, added []int) {
	head, body := "-- Query\n-- limit: time="+queryTime+"\n", a.SQL
	if a.own {
		lead := len(a.SQL) - len(strings.TrimLeftFunc(a.SQL, unicode.IsSpace))
		end := strings.IndexByte(a.SQL[lead:], '\n')
		if end < 0 {
			return a.SQL, nil
		}
		head, body = a.SQL[:lead+end+1], a.SQL[lead+end+1:]
	} else {
		added = []int{1, 2}
	}
	if chart && !a.HasChart() {
		line := "-- chart: " + a.Kind + " x=" + a.X
		if a.Y != "" {
			line += " y=" + a.Y
		}
		if a.Series != "" {
			line += " series=" + a.Series
		}
		head += strings.Join(strings.Fields(line), " ") + "\n"
		added = append(added, strings.Count(head, "\n"))
	}
	return head + body, added
}

// params are the query's parameters of the API: those of the header, whose fields begin with "p.".
func (a *ask) params(query url.Values, more ...string) url.Values {
	all := url.Values{}
	for _, p := range a.endpoint.Params {
		if given := query.Get("p." + p.Name); given != "" {
			all.Set(p.Name, given)
		}
	}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			all.Set(more[i], more[i+1])
		}
	}
	return all
}

// limit returns a number of rows within the header's limit.
func (a *ask) limit(rows int) string {
	return strconv.Itoa(min(rows, cmp.Or(a.endpoint.Limit.Rows, rows)))
}

// queryAnswer sends the answer itself: a download, or the picture in the page.
func (s *Server) queryAnswer(r *request) error {
	a := newAsk(r.query)
	format := cmp.Or(r.query.Get("format"), "json")
	file, _ := a.file(format == "svg" && a.draws())
	limit := a.limit(maxSentRows)
	if format == "svg" {
		limit = "" // all rows: a chart of some of them would be wrong
	}
	return r.Send(file, a.params(r.query, "format", format, "limit", limit))
}

// queryPage is the data of query.html.
type queryPage struct {
	view
	*ask

	Tables []queryTable
	Fields []queryField
	Kinds  []string
	Faults []sqlFault
	// Lines are those of the text, if some of them are at fault.
	Lines []sqlLine
	// Failed is why there is no answer, if that is no fault of the text.
	Failed string
	// Answered: there is an answer, in Answer.
	Answered bool
	Answer   table
	More     bool // it has been cut
	Took     string
	// ChartFaults are why there is no Picture, which is its URL.
	ChartFaults []sqlFault
	Picture     string
	Downloads   []download
	Saved       saved
}

// queryTable is a table or view that can be read.
type queryTable struct {
	Name    string
	Columns []tableColumn
}

// queryField is a parameter of the text's own header.
type queryField struct {
	endpoint.Param

	Value, Fault string
}

// sqlFault is a fault of the text at a line and a column, each from 1; 0 is all of it.
type sqlFault struct {
	Line, Column int
	Text         string
}

// sqlLine is a line of the text, of which Fault is at fault.
type sqlLine struct{ Before, Fault, After string }

// saved is the endpoint's file to write.
type saved struct{ Path, Text string }

// query is the page on which a person asks SQL.
func (s *Server) query(r *request) error {
	if len(r.c.Context().URI().QueryString()) > maxURL {
		return r.problem(http.StatusRequestURITooLong, "The SQL is too long for a URL, which has room for 14 KiB. Write it to a file, and see what it answers with: estela endpoint run.")
	}
	p := queryPage{view: r.view, ask: newAsk(r.query), Kinds: chartKinds}
	p.Title = "SQL"
	p.Tables = r.tables()
	for _, param := range p.endpoint.Params {
		p.Fields = append(p.Fields, queryField{Param: param, Value: r.query.Get("p." + param.Name)})
	}
	status := http.StatusOK
	if strings.TrimSpace(p.SQL) != "" {
		var err error
		if status, err = p.run(r); err != nil {
			return err
		}
	}
	return r.render(status, "query", &p)
}

// run asks, and returns the page's status.
func (p *queryPage) run(r *request) (status int, err error) {
	file, added := p.file(false)
	status, _, dictionary, err := r.Ask(file, p.params(nil, "format", "dictionary"))
	if err != nil {
		return 0, err
	}
	if status != http.StatusOK {
		p.failed(dictionary, added)
		return status, nil
	}
	start := time.Now()
	for _, format := range sentFormats {
		p.Downloads = append(p.Downloads, download{format, r.answerURL(format), "query." + format})
	}
	status, header, body, err := r.Ask(file, p.params(r.query, "format", "json", "limit", p.limit(maxShownRows), "cursor", r.query.Get("cursor")))
	if large, ok := errors.AsType[*problem.Problem](err); ok { // for a page
		p.Failed = large.Detail
		return large.Status, nil
	}
	if err != nil {
		return 0, err
	}
	p.Took = age(time.Since(start))
	if status != http.StatusOK {
		p.failed(body, added)
		return status, nil
	}
	if p.Answer, err = newTable(body, dictionary); err != nil {
		return 0, err
	}
	p.Answer.Label = "answer"
	p.Answered, p.More = true, header.Get("Estela-More-Rows") != ""
	if p.draws() {
		drawn, added := p.file(true)
		status, _, body, err := r.Ask(drawn, p.params(nil, "format", "dictionary"))
		if err != nil {
			return 0, err
		}
		if p.Picture = r.answerURL("svg"); status != http.StatusOK {
			p.ChartFaults, p.Picture = sqlFaults(detailOf(body), added), ""
		}
	}
	p.Saved = p.save(r)
	return http.StatusOK, nil
}

// failed takes over the API's problem.
func (p *queryPage) failed(body []byte, added []int) {
	detail := detailOf(body)
	if i := slices.IndexFunc(p.Fields, func(f queryField) bool { return f.Name == detail.Parameter }); i >= 0 {
		p.Fields[i].Fault = detail.Detail
		return
	}
	if p.Faults = sqlFaults(detail, added); p.Faults == nil {
		p.Failed = detail.Title + ": " + detail.Detail
		return
	}
	p.Lines = markLines(p.SQL, p.Faults)
}

// apiProblem is what a page shows of a problem document.
type apiProblem struct{ Title, Detail, Parameter string }

func detailOf(body []byte) (p apiProblem) {
	if err := json.Unmarshal(body, &p); err != nil {
		p.Detail = string(body)
	}
	return p
}

// faultLine matches the place of a fault in an endpoint's file.
var faultLine = regexp.MustCompile(`^query\.sql(?::([0-9]+))?(?::([0-9]+))?: (.*)$`)

// sqlFaults returns the faults of the text; added are the file's lines that are not the person's.
func sqlFaults(p apiProblem, added []int) (all []sqlFault) {
	for line := range strings.SplitSeq(p.Detail, "\n") {
		match := faultLine.FindStringSubmatch(line)
		if match == nil {
			if len(all) > 0 {
				all[len(all)-1].Text += "\n" + line
			}
			continue
		}
		f := sqlFault{Text: match[3]}
		f.Line, _ = strconv.Atoi(match[1])
		f.Column, _ = strconv.Atoi(match[2])
		if f.Line = ownLine(f.Line, added); f.Line == 0 {
			f.Column = 0
		}
		all = append(all, f)
	}
	return all
}

// ownLine returns the person's line of a file's line, 0 for one that was added.
func ownLine(line int, added []int) int {
	if slices.Contains(added, line) {
		return 0
	}
	before := 0
	for _, n := range added {
		if n < line {
			before++
		}
	}
	return line - before
}

// faultyWord matches what is marked at a fault's column.
var faultyWord = regexp.MustCompile(`^(?:[\pL\pN_]+|"[^"]*"|'[^']*'|.)`)

// markLines returns the lines of the text with the places of the faults, nil if no fault has one.
func markLines(text string, faults []sqlFault) (lines []sqlLine) {
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, sqlLine{Before: line})
	}
	marked := false
	for _, f := range faults {
		if f.Line < 1 || f.Line > len(lines) || lines[f.Line-1].Fault != "" {
			continue
		}
		l := &lines[f.Line-1]
		runes := []rune(l.Before)
		at := len(string(runes[:min(max(0, f.Column-1), len(runes))]))
		word := faultyWord.FindString(l.Before[at:])
		if f.Column == 0 {
			word = l.Before
		}
		l.Before, l.Fault, l.After = l.Before[:at], cmp.Or(word, " "), l.Before[at+len(word):]
		marked = true
	}
	if !marked {
		return nil
	}
	return lines
}

// answerURL returns the URL of the answer in a format.
func (r *request) answerURL(format string) string {
	query := url.Values{"format": {format}}
	for name, values := range r.query {
		if name != "lang" && name != "cursor" && name != "format" && values[0] != "" {
			query[name] = values[:1]
		}
	}
	return target("/sql/answer", query)
}

// maxDescribed is how many views and reference tables have their columns listed.
const maxDescribed = 30

// tables returns what can be read: the datasets' tables, their views and reference tables.
func (r *request) tables() (all []queryTable) {
	described := 0
	for _, d := range r.Datasets() {
		own := queryTable{Name: d.Name}
		for _, c := range d.Columns {
			own.Columns = append(own.Columns, tableColumn{Name: c.Name, Type: c.Type.String(), Unit: c.Unit})
		}
		all = append(all, own)
		names := slices.Clone(d.Tables)
		if views, fault := statement.Views(d.Views); fault == nil {
			for _, v := range views {
				names = append(names, v.Name)
			}
		}
		for _, name := range names {
			if slices.ContainsFunc(all, func(t queryTable) bool { return t.Name == name }) {
				continue
			}
			t := queryTable{Name: name}
			if described++; described <= maxDescribed {
				t.Columns = r.columns(name)
			}
			all = append(all, t)
		}
	}
	return all
}

// columns returns those of a table or view, none if the warehouse doesn't say.
func (r *request) columns(name string) []tableColumn {
	quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	status, _, body, err := r.Ask("-- Columns\nSELECT * FROM "+quoted, url.Values{"format": {"dictionary"}})
	if err != nil || status != http.StatusOK {
		return nil
	}
	columns, err := tableColumns(body)
	if err != nil {
		return nil
	}
	return columns
}

// NextPage returns this page's URL with a cursor.
func (p *queryPage) NextPage(cursor string) string {
	query := url.Values{}
	maps.Copy(query, p.query)
	query.Set("cursor", cursor)
	return target("/sql", query)
}

// save returns the file to write.
func (p *queryPage) save(r *request) saved {
	dataset, reads := "", []string{}
	for _, name := range r.view.Datasets {
		switch {
		case !regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(name) + `\b`).MatchString(p.endpoint.SQL):
		case dataset == "":
			dataset = name
		default:
			reads = append(reads, name)
		}
	}
	if dataset == "" && len(r.view.Datasets) > 0 {
		dataset = r.view.Datasets[0]
	}
	drawn := p.Kind != "" && p.X != "" && p.ChartFaults == nil
	text, added := p.file(drawn)
	lines := strings.Split(text, "\n")
	if !p.own {
		lines[0] = "-- " + r.view.T("Say here in a line what it answers.")
		lines = slices.Delete(lines, 1, 2) // the time limit is the page's
	}
	if at := len(added); len(reads) > 0 && p.endpoint.Reads == nil {
		lines = slices.Insert(lines, max(1, min(at, len(lines))), "-- reads: "+strings.Join(reads, ", "))
	}
	return saved{fmt.Sprintf("%s/endpoints/%s.sql", dataset, "my-query"), strings.TrimSpace(strings.Join(lines, "\n"))}
}
