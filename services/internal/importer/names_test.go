package importer_test

import (
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/importer"
)

// TestNamesOfColumns: any name that JSON and CSV have is a column of source.
func TestNamesOfColumns(t *testing.T) {
	t.Parallel()
	const want = `{"select":"1","a\"b":"2","rowid":"3","at":"4","é 😀":"5","É 😀":"6","x.y":"7","'":"8","$1":"9","source":"10"}`
	expectRead(t, importer.Config{Reader: strings.NewReader(want), Mapping: everything}, "1 "+want)
	expectRead(t, importer.Config{
		Reader:  strings.NewReader("select,\"a\"\"b\",rowid,at,é 😀,É 😀,x.y,',$1,source\n1,2,3,4,5,6,7,8,9,10\n"),
		Mapping: everything,
	}, "2 "+want)
	path := writeParquet(t, `SELECT '1' AS "select", '2' AS "a""b", '3' AS "rowid", '4' AS "at", '5' AS "é 😀", '6' AS "É 😀", '7' AS "x.y", '8' AS "'", '9' AS "$1", '10' AS source`)
	expectRead(t, importer.Config{Path: path}, "1 "+want)
	expectRead(t, importer.Config{Path: path, Mapping: everything}, "1 "+want)
}
