package endpoint

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/statement"
)

// quote adds to a syntax error how to write a name that is a word of SQL, if that is what
// is wrong: with quotes around it DuckDB reads on. Words of the columns (in lower case) are names
// though they begin clauses too.
func quote(ctx context.Context, parse statement.Parser, columns map[string]bool, sql string, f *statement.FaultError) {
	if f.At < 0 || f.At > len(sql) {
		return
	}
	for _, at := range []int{lastWord(sql[:f.At]), f.At} {
		if at < 0 {
			continue
		}
		word := wordAt(sql[at:])
		if word == "" || !wordStart(word[0]) || clauses[strings.ToUpper(word)] && !columns[strings.ToLower(word)] {
			continue
		}
		_, err := statement.Check(ctx, parse, sql[:at]+`"`+word+`"`+sql[at+len(word):], nil, nil)
		next := (*statement.FaultError)(nil)
		if !errors.As(err, &next) || next.At > f.At+len(`""`) {
			f.At, f.Reason, f.Fix = at, word+" is a word of SQL itself", `where it is a name, write "`+word+`" with quotes, everywhere in the SQL`
			return
		}
	}
}

// lastWord is where the last word of the text begins, -1 if something else ends it.
func lastWord(text string) int {
	text = strings.TrimRight(text, " \t\r\n,.=<>+-*/(")
	at := len(text)
	for at > 0 {
		r, size := utf8.DecodeLastRuneInString(text[:at])
		if !wordStart(byte(min(r, utf8.RuneSelf))) && (r < '0' || r > '9') {
			break
		}
		at -= size
	}
	if at == len(text) {
		return -1
	}
	return at
}

// clauses are words that stand where they belong more often than where a name should.
var clauses = func() map[string]bool {
	all := map[string]bool{}
	for w := range strings.FieldsSeq("SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET WITH AS ON USING JOIN LEFT RIGHT FULL INNER OUTER CROSS UNION ALL EXCEPT INTERSECT AND OR NOT IN IS NULL CASE WHEN THEN ELSE END DISTINCT QUALIFY WINDOW BETWEEN LIKE CAST") {
		all[w] = true
	}
	return all
}()
