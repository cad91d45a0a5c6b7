package page

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
)

const (
	// profileTime is how long a profile may take, of all columns together.
	profileTime = 5 * time.Second
	// bins are those of a histogram, and most as many different values are each counted.
	bins = 20
	// topValues are how many of the most frequent values are shown, of columns with at most countedValues different ones.
	topValues, countedValues = 5, 100_000
)

// profilePage is the page at /datasets/NAME/profile.
type profilePage struct {
	datasetView

	Rows    string
	Columns []columnProfile
	Limit   string
	// Late: the time has run out before all columns were done.
	Late bool
}

// columnProfile is what the values of a column are like.
type columnProfile struct {
	contract.Column

	// Late: there was no time for it; Fault: why it has no figures.
	Late  bool
	Fault string

	Nulls, Share, Distinct string
	Low, High              *cell
	Bars                   []bar
	// Alt says in words what the bars show.
	Alt string
	Top []frequent
	// Various: there are too many different values to count each.
	Various bool
}

// bar is one of a histogram, in a picture of 20 × 12 by 100.
type bar struct {
	X, Y, Height string
	Count        string
}

// frequent is a value and how often it comes.
type frequent struct {
	Value        cell
	Count, Share string
	Width        string // in percent
}

func (s *Server) profile(r *request, d datasetView) error {
	p := profilePage{datasetView: d, Limit: age(profileTime)}
	until := time.Now().Add(profileTime)
	for _, c := range d.Contract.Columns {
		one := columnProfile{Column: c}
		left := time.Until(until)
		if left > time.Millisecond {
			rows, err := one.fill(r, d, until)
			if f := (*refusalError)(nil); errors.As(err, &f) && f.Status == http.StatusServiceUnavailable {
				left = 0
			} else if err != nil {
				one.Fault = err.Error()
			} else {
				p.Rows = d.Number(rows)
			}
		}
		if left <= time.Millisecond {
			one.Late, p.Late = true, true
		}
		p.Columns = append(p.Columns, one)
	}
	return r.render(http.StatusOK, "profile", p)
}

// limitUntil is the header's line of a query that has until then.
func limitUntil(until time.Time) string {
	return fmt.Sprintf("-- limit: time=%dms\n", max(1, time.Until(until).Milliseconds()))
}

// fill profiles the column and returns how many rows there are.
func (p *columnProfile) fill(r *request, d datasetView, until time.Time) (rows int64, err error) {
	name, table := sqlName(p.Name), sqlName(d.Dataset)
	ends := ", min(" + name + "), max(" + name + ")"
	if p.Type == column.JSON {
		ends = ""
	}
	figures, err := r.askRows("-- Figures of a column.\n"+limitUntil(until)+
		"SELECT count(*), count("+name+"), approx_count_distinct("+name+")"+ends+" FROM "+table, nil)
	if err != nil {
		return 0, err
	}
	row := figures.Rows[0]
	var n [3]int64
	for i := range n {
		if n[i], err = strconv.ParseInt(string(row[i]), 10, 64); err != nil {
			return 0, err
		}
	}
	rows, some, distinct := n[0], n[1], min(n[1], n[2]) // the last is approximate
	p.Nulls, p.Share, p.Distinct = d.Number(rows-some), "", d.Number(distinct)
	if rows > 0 {
		p.Share = percent(d.view, float64(rows-some)/float64(rows))
	}
	if len(row) > len(n) && some > 0 {
		low, high := newCell(row[3]), newCell(row[4])
		p.Low, p.High = &low, &high
	}
	switch {
	case some == 0:
	case distinct > bins && p.number(name) != "":
		return rows, p.histogram(r, d, until)
	case distinct <= countedValues && (distinct <= some/2 || distinct <= bins):
		return rows, p.frequent(r, d, until, some)
	default:
		p.Various = true
	}
	return rows, nil
}

// number is the column's value as a DOUBLE in SQL, empty for one that is no number or time.
func (p *columnProfile) number(name string) string {
	switch {
	case isNumeric(p.Type):
		return "CAST(" + name + " AS DOUBLE)"
	case p.Type == column.TimestampTZ, p.Type == column.Date:
		return "CAST(epoch(" + name + ") AS DOUBLE)"
	default:
		return ""
	}
}

// histogram counts the values in bins of the same width between the lowest and the highest.
func (p *columnProfile) histogram(r *request, d datasetView, until time.Time) error {
	name := sqlName(p.Name)
	// Halves, for the difference of two values may be beyond a DOUBLE.
	counted, err := r.askRows("-- Histogram of a column.\n"+limitUntil(until)+"SELECT bin, count(*) FROM (\n"+
		"SELECT least("+strconv.Itoa(bins-1)+", CAST(floor((value / 2 - low / 2) / (high / 2 - low / 2) * "+strconv.Itoa(bins)+") AS INTEGER)) AS bin\n"+
		"FROM (SELECT "+p.number(name)+" AS value FROM "+sqlName(d.Dataset)+" WHERE "+name+" IS NOT NULL),\n"+
		"(SELECT min("+p.number(name)+") AS low, max("+p.number(name)+") AS high FROM "+sqlName(d.Dataset)+")\n"+
		"WHERE high > low) GROUP BY bin ORDER BY bin", nil)
	if err != nil {
		return err
	}
	var all [bins]int64
	for _, row := range counted.Rows {
		bin, err := strconv.Atoi(string(row[0]))
		if err != nil || bin < 0 || bin >= bins {
			continue // another row has come meanwhile
		}
		if all[bin], err = strconv.ParseInt(string(row[1]), 10, 64); err != nil {
			return err
		}
	}
	top := int64(1)
	for _, n := range all {
		top = max(top, n)
	}
	for i, n := range all {
		height := float64(n) / float64(top) * 100
		if n > 0 {
			height = max(height, 2) // seen
		}
		p.Bars = append(p.Bars, bar{
			strconv.Itoa(i * 12), strconv.FormatFloat(100-height, 'f', 1, 64), strconv.FormatFloat(height, 'f', 1, 64), d.Number(n),
		})
	}
	p.Alt = fmt.Sprintf(d.T("Histogram of %d bins of the same width, the highest with %s rows"), bins, d.Number(top))
	return nil
}

// frequent counts the most frequent values.
func (p *columnProfile) frequent(r *request, d datasetView, until time.Time, some int64) error {
	name := sqlName(p.Name)
	counted, err := r.askRows("-- The most frequent values of a column.\n"+limitUntil(until)+
		"SELECT "+name+" AS _value, count(*) AS _n FROM "+sqlName(d.Dataset)+" WHERE "+name+" IS NOT NULL GROUP BY "+name+
		" ORDER BY _n DESC, _value LIMIT "+strconv.Itoa(topValues), nil)
	if err != nil {
		return err
	}
	for _, row := range counted.Rows {
		n, err := strconv.ParseInt(string(row[1]), 10, 64)
		if err != nil {
			return err
		}
		share := float64(n) / float64(max(1, some))
		p.Top = append(p.Top, frequent{newCell(row[0]), d.Number(n), percent(d.view, share), strconv.FormatFloat(share*100, 'f', 1, 64)})
	}
	return nil
}
