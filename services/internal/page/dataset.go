package page

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
)

func (s *Server) datasetRoutes() []route {
	return []route{
		{"/datasets/{dataset}", s.ofDataset("", s.dataset)},
		{"/datasets/{dataset}/counts", s.ofDataset("", s.counts)},
		{"/datasets/{dataset}/rows", s.ofDataset("Rows", s.rows)},
		{"/datasets/{dataset}/event", s.ofDataset("Find an event", s.event)},
		{"/datasets/{dataset}/profile", s.ofDataset("Profile", s.profile)},
	}
}

// datasetView is what the pages of a dataset have.
type datasetView struct {
	view

	Dataset  string
	Contract *contract.Contract
}

// ofDataset serves a page of the path's dataset, titled with the part that it shows, to visits that inspect.
func (s *Server) ofDataset(part string, serve func(*request, datasetView) error) func(*request) error {
	return inspecting(func(r *request) error {
		name := r.path["dataset"]
		i := slices.IndexFunc(s.cfg.Contracts, func(c *contract.Contract) bool { return c.Name == name })
		if i < 0 || !slices.Contains(r.view.Datasets, name) {
			return errNotFound
		}
		r.view.Title = name
		if part != "" {
			r.view.Title += ": " + r.view.T(part)
		}
		return serve(r, datasetView{view: r.view, Dataset: name, Contract: s.cfg.Contracts[i]})
	})
}

// datasetPage is the page at /datasets/NAME.
type datasetPage struct {
	datasetView

	Laws       []law
	Properties []property
	Example    string
	// Valid: the contract takes the example.
	Valid bool
	Sends []send
	Store *datasetStore
	// Fault is why the rows can't be counted.
	Fault string
	Chart *countsChart
}

// law is what the contract says of all events.
type law struct{ Name, Text string }

// datasetStore is what is stored of a dataset. Times are as the API writes them; empty without rows.
type datasetStore struct {
	Rows, Rejects       string
	First, Last         string // of the events' own time; empty without one
	FirstAdded, Updated string // when they were stored
}

// countsChart is the picture of events over time, and the others there could be.
type countsChart struct {
	Picture, Table, Alt string
	Of, By              []choice
}

type choice struct {
	Text, Link string
	Chosen     bool
}

func (s *Server) dataset(r *request, d datasetView) error {
	c := d.Contract
	p := datasetPage{datasetView: d, Laws: lawsOf(d.view, c), Properties: propertiesOf(d.view, c)}
	example, valid := c.Example(time.Now())
	p.Example, p.Valid = string(example), valid
	p.Sends = s.sends(r, c, example)
	stored, err := r.askRows(storedFile(c), nil)
	if err != nil {
		p.Fault = err.Error()
		return r.render(http.StatusOK, "dataset", p)
	}
	texts := stored.texts(0)
	p.Store = &datasetStore{FirstAdded: texts[1], Updated: texts[2], Rejects: s.rejected(r, c)}
	n, _ := strconv.ParseInt(texts[0], 10, 64)
	p.Store.Rows = d.Number(n)
	from, to := texts[1], texts[2]
	if c.Time >= 0 {
		p.Store.First, p.Store.Last = texts[3], texts[4]
		if r.query.Get("of") != "stored" {
			from, to = texts[3], texts[4]
		}
	}
	if n > 0 {
		p.Chart = newCountsChart(r, c, from, to, n)
	}
	return r.render(http.StatusOK, "dataset", p)
}

// rejected is how many events the process has rejected; empty if it doesn't know.
func (s *Server) rejected(r *request, c *contract.Contract) string {
	if s.cfg.Pipeline == nil {
		return ""
	}
	samples := s.samples(r.c.UserContext())
	return r.view.Number(samples[len(samples)-1].totals[c.Name].rejected)
}

// sqlName quotes a name of a contract.
func sqlName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// storedFile is the endpoint of what is stored.
func storedFile(c *contract.Contract) string {
	sql := "SELECT count(*), min(_ingested_at), max(_ingested_at)"
	if c.Time >= 0 {
		at := sqlName(c.Columns[c.Time].Name)
		sql += ", min(" + at + "), max(" + at + ")"
	}
	return "-- What is stored.\n-- limit: time=5s\n" + sql + " FROM " + sqlName(c.Name)
}

// The units of counts over time, and the spans up to which each is the one that shows most.
var countUnits = []struct {
	name string
	upTo time.Duration
}{{"minute", 3 * time.Hour}, {"hour", 5 * 24 * time.Hour}, {"day", 3 * 366 * 24 * time.Hour}, {"month", 1<<63 - 1}}

// countsOf and countsBy are what is asked for: of the events' time or of when they were stored, by which unit.
func countsOf(query url.Values, c *contract.Contract) string {
	if query.Get("of") == "stored" || c.Time < 0 {
		return "stored"
	}
	return "time"
}

func newCountsChart(r *request, c *contract.Contract, from, to string, n int64) *countsChart {
	v, of, by := r.view, countsOf(r.query, c), r.query.Get("by")
	if !isCountUnit(by) {
		first, last := timeOf(from), timeOf(to)
		for _, u := range countUnits {
			if by = u.name; last.Sub(first) <= u.upTo {
				break
			}
		}
	}
	base := pathTo("/datasets", c.Name)
	pairs := []string{"of", of, "by", by}
	chart := &countsChart{
		Picture: v.Link(base+"/counts", append(slices.Clone(pairs), "format", "svg")...), Table: v.Link(base+"/counts", append(slices.Clone(pairs), "format", "csv")...),
		Alt: strings.NewReplacer("{n}", v.Number(n), "{unit}", v.unit(by), "{from}", from, "{to}", to).Replace(v.T("Chart of {n} events by {unit}, from {from} to {to}")),
	}
	if c.Time >= 0 {
		chart.Of = []choice{
			{v.T("By event time"), v.Link(base, "of", "time"), of == "time"},
			{v.T("By time of storage"), v.Link(base, "of", "stored"), of == "stored"},
		}
	}
	for _, u := range countUnits {
		chart.By = append(chart.By, choice{v.unit(u.name), v.Link(base, "of", of, "by", u.name), by == u.name})
	}
	return chart
}

func isCountUnit(name string) bool {
	for _, u := range countUnits {
		if u.name == name {
			return true
		}
	}
	return false
}

// unit is a unit of time in words.
func (v view) unit(name string) string {
	switch name {
	case "minute":
		return v.T("minute")
	case "hour":
		return v.T("hour")
	case "day":
		return v.T("day")
	default:
		return v.T("month")
	}
}

// timeOf reads a date or time as the API writes it, zero if it is none.
func timeOf(text string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at
		}
	}
	return time.Time{}
}

// counts answers with the events over time: as a chart, or in another format.
func (s *Server) counts(r *request, d datasetView) error {
	c, by := d.Contract, r.query.Get("by")
	if !isCountUnit(by) {
		by = "day"
	}
	at := "_ingested_at"
	if countsOf(r.query, c) == "time" {
		at = sqlName(c.Columns[c.Time].Name)
	}
	return r.Send("-- Events of "+c.Name+" by "+by+".\n-- limit: rows=100000 time=10s\n-- column: events unit=events -- How many events there are.\n"+
		"-- chart: bar x="+by+" y=events\n"+
		"SELECT _at AS "+by+", count(*) AS events FROM (SELECT date_trunc('"+by+"', "+at+") AS _at FROM "+sqlName(c.Name)+") GROUP BY _at ORDER BY _at",
		url.Values{"format": {formatOf(r.query, "svg")}})
}

// downloadFormats are those of a table.
var downloadFormats = []string{"csv", "json", "ndjson", "parquet", "arrow"}

// formatOf is the format that is asked for, or the other one.
func formatOf(query url.Values, other string) string {
	if f := query.Get("format"); slices.Contains(downloadFormats, f) {
		return f
	}
	return other
}

// refusalError is the API's problem.
type refusalError struct {
	Status                   int
	Title, Detail, Parameter string
}

func (f *refusalError) Error() string { return strings.TrimSuffix(f.Title+": "+f.Detail, ": ") }

// askRows returns the answer of an endpoint's text. What the API refuses is a *refusalError.
func (r *request) askRows(file string, query url.Values) (*rowsAnswer, error) {
	status, _, body, err := r.Ask(file, query)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		f := &refusalError{}
		if err := json.Unmarshal(body, f); err != nil {
			f.Detail = string(body)
		}
		f.Status = status
		return nil, f
	}
	return readRows(body)
}

// texts are the values of a row as text, NULL as none.
func (a *rowsAnswer) texts(row int) []string {
	all := make([]string, len(a.Rows[row]))
	for i, value := range a.Rows[row] {
		if string(value) != "null" {
			all[i] = contract.PlainText(value)
		}
	}
	return all
}

func isNumeric(kind column.Kind) bool {
	switch kind {
	case column.Double, column.TinyInt, column.SmallInt, column.Integer, column.BigInt:
		return true
	default:
		return false
	}
}
