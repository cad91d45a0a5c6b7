package database_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/result"
)

// TestNestedVectors reads values of every kind where DuckDB has them in memory,
// constants inside of structs and lists among them.
func TestNestedVectors(t *testing.T) {
	t.Parallel()
	d := open(t, database.Config{})
	const query = `SELECT
		range::BIGINT AS n,
		{'one': 1, 'n': range, 'deep': {'list': [range, NULL, 7]}} AS s,
		CASE WHEN range < 3 THEN [[range], [], NULL] END AS l,
		[range, 5]::BIGINT[2] AS a,
		MAP {'k' || range: range, 'c': 5} AS m,
		CASE WHEN range % 2 = 0 THEN union_value(num := range)::UNION(num BIGINT, str VARCHAR) ELSE union_value(str := 'x' || range)::UNION(num BIGINT, str VARCHAR) END AS u,
		-12345678901234567890.123456789::DECIMAL(38,9) AS d, (range - 1)::DECIMAL(18,1) AS q, -0.05::DECIMAL(3,2) AS p,
		'-170141183460469231731687303715884105728'::HUGEINT AS h, 340282366920938463463374607431768211455::UHUGEINT AS uh,
		'0123456a-89ab-cdef-f123-456789abcdef'::UUID AS id,
		CASE WHEN range = 0 THEN 'happy' ELSE 'sad' END::ENUM('sad', 'happy') AS e,
		TIMETZ '10:00:00.5+02:30' AS tz
		FROM range(5000) ORDER BY n`
	var got []string
	read := func(rows result.Rows) error {
		types := rows.(result.Typed).Types()
		for {
			chunk, err := rows.Next()
			if err != nil || chunk == nil {
				return err
			}
			for i := range chunk.Rows {
				var line []string
				for c := range chunk.Vectors {
					line = append(line, show(&types[c], chunk.Vectors[c], i))
				}
				got = append(got, strings.Join(line, " "))
			}
		}
	}
	err := d.Read(t.Context(), func(ctx context.Context, conn *database.Conn) error {
		return d.LowPriority(conn).Stream(ctx, query, nil, read)
	})
	if err != nil || len(got) != 5000 {
		t.Fatal(len(got), err)
	}
	const fixed = " -12345678901234567890.123456789 %s -0.05 -170141183460469231731687303715884105728 340282366920938463463374607431768211455" +
		" 0123456a-89ab-cdef-f123-456789abcdef %s 10h0m0.5s+2h30m0s"
	for i, want := range map[int]string{
		0:    "0 {one:1 n:0 deep:{list:[0 NULL 7]}} [[0] [] NULL] [0 5] [k0=0 c=5] num:0" + fmt.Sprintf(fixed, "-1.0", "happy"),
		4999: "4999 {one:1 n:4999 deep:{list:[4999 NULL 7]}} NULL [4999 5] [k4999=4999 c=5] str:x4999" + fmt.Sprintf(fixed, "4998.0", "sad"),
	} {
		if got[i] != want {
			t.Errorf("row %d\n got %s\nwant %s", i, got[i], want)
		}
	}
}

func show(of *result.Type, v result.Vector, i int) string {
	if v.Null(i) {
		return "NULL"
	}
	all := func(at, n int, one func(j int) string) string {
		var parts []string
		for j := at; j < at+n; j++ {
			parts = append(parts, one(j))
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	switch of.Kind {
	case column.Varchar:
		return v.Text(i)
	case column.Double:
		return fmt.Sprint(result.At[float64](v, i))
	case column.List:
		at := result.At[result.ListEntry](v, i)
		return all(int(at.Offset), int(at.Length), func(j int) string { return show(&of.Fields[0].Type, v.Children[0], j) })
	case column.Array:
		return all(i*of.Size, of.Size, func(j int) string { return show(&of.Fields[0].Type, v.Children[0], j) })
	case column.Map:
		at := result.At[result.ListEntry](v, i)
		return all(int(at.Offset), int(at.Length), func(j int) string {
			return show(&of.Fields[0].Type, v.Children[0], j) + "=" + show(&of.Fields[1].Type, v.Children[1], j)
		})
	case column.Struct:
		var parts []string
		for m := range of.Fields {
			parts = append(parts, of.Fields[m].Name+":"+show(&of.Fields[m].Type, v.Children[m], i))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case column.Union:
		tag := result.At[uint8](v.Children[0], i)
		return of.Fields[tag].Name + ":" + show(&of.Fields[tag].Type, v.Children[1+tag], i)
	case column.Decimal:
		return string(v.Integer(of.Physical, i).AppendDecimal(nil, int(of.Scale)))
	case column.UHugeInt:
		return string(v.Integer(of.Kind, i).AppendUnsigned(nil))
	case column.UUID:
		return string(result.At[result.Int128](v, i).AppendUUID(nil))
	case column.Enum:
		return of.Dictionary[v.Integer(of.Physical, i).Low]
	case column.TimeTZ:
		day, zone := result.SplitTimeTZ(result.At[uint64](v, i))
		return day.String() + "+" + zone.String()
	default:
		return string(v.Integer(of.Kind, i).Append(nil))
	}
}
