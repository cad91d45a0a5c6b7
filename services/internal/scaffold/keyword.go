package scaffold

import (
	"strings"

	"github.com/estela-dev/estela/services/internal/database"
)

// keywords are those of DuckDB's words that can't name a column or a table without quotes everywhere.
var keywords = func() map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(keywordList) {
		all[word] = true
	}
	return all
}()

const keywordList = `all analyse analyze and anti any array as asc asof asymmetric at authorization between bigint binary bit
boolean both by case cast char character check coalesce collate collation column columns concurrently constraint create
cross dec decimal default deferrable desc describe distinct do else end except exists extract false fetch float for
foreign freeze from full generated glob group grouping grouping_id having ilike in initially inner inout int integer
intersect interval into is isnull join lambda lateral leading left like limit map national natural nchar none not notnull
null nullif numeric offset on only or order out outer overlaps overlay pivot pivot_longer pivot_wider placing position
positional precision primary qualify real references returning right row select semi setof show similar smallint some
struct substring summarize symmetric table tablesample then time timestamp to trailing treat trim true try_cast union
unique unpack unpivot using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement
xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`

// name writes a property or a dataset in SQL, in quotes where it is a word of SQL itself.
func name(property string) string {
	if keywords[property] {
		return database.QuoteName(property)
	}
	return property
}
