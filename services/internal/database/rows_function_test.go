package database_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/database"
)

// TestAppend appends texts of all lengths, NULLs and constants over several chunks, and reads the same rows
// in the same order.
func TestAppend(t *testing.T) {
	t.Parallel()
	d := open(t, database.Config{Threads: 4})
	const rows = 3*database.VectorSize + 17
	random := rand.New(rand.NewPCG(1, 2))
	numbers, texts := make([]int64, rows), column.Vector{Type: column.Varchar}
	want := make([]string, rows)
	for i := range rows {
		numbers[i] = int64(i)
		if i%7 == 0 {
			texts.AppendNull(i)
			want[i] = fmt.Sprint(i, " NULL same")
			continue
		}
		text := strings.Repeat([]string{"x", "é", "€"}[random.IntN(3)], random.IntN(40)) + fmt.Sprint(i)
		texts.AppendText([]byte(text))
		if texts.Nulls != nil {
			texts.Nulls = append(texts.Nulls, 0)
		}
		want[i] = fmt.Sprint(i, " ", text, " same")
	}
	err := d.Session().Do(t.Context(), func(ctx context.Context, conn *database.Conn) error {
		if err := database.ExecAll(ctx, conn, `CREATE TABLE t (n BIGINT, "a ""b" VARCHAR, same JSON)`); err != nil {
			return err
		}
		into := database.Table{Catalog: "warehouse", Schema: "main", Name: "t"}
		values := []database.Values{database.Numbers(numbers), database.Vector(&texts), database.ConstantText("same")}
		if err := conn.Append(ctx, into, 0, values); err != nil {
			return err
		}
		if err := conn.Append(ctx, into, 1, values[:2]); err == nil || !strings.Contains(err.Error(), "2 columns for a table of 3") {
			return fmt.Errorf("a column short: %w", err)
		}
		if err := conn.Append(ctx, into, rows+1, values); err == nil || !strings.Contains(err.Error(), "column 0") {
			return fmt.Errorf("a row short: %w", err)
		}
		if err := conn.Append(ctx, into, rows, values); err != nil {
			return err
		}
		stored, err := conn.QueryContext(ctx, `SELECT concat_ws(' ', n, coalesce("a ""b", 'NULL'), same) FROM t`)
		if err != nil {
			return err
		}
		defer stored.Close()
		n := 0
		for ; stored.Next(); n++ {
			var got string
			if err := stored.Scan(&got); err != nil {
				return err
			}
			if n >= rows || got != want[n] {
				return fmt.Errorf("row %d is %q", n, got)
			}
		}
		if n != rows {
			return fmt.Errorf("%d rows", n)
		}
		return stored.Err()
	})
	if err != nil {
		t.Error(err)
	}
}

// TestAppendUnread: a query never sees rows that are being appended, whatever number it tries.
func TestAppendUnread(t *testing.T) {
	t.Parallel()
	d := open(t, database.Config{})
	numbers := make([]int64, 100_000)
	ctx, cancel := context.WithCancel(t.Context())
	var tries atomic.Int64
	done := make(chan error, 1)
	go func() {
		done <- d.Session().Do(t.Context(), func(_ context.Context, conn *database.Conn) error {
			for i := range 1000 {
				query := fmt.Sprintf("SELECT * FROM estela_rows(%d)", i)
				if rows, err := conn.QueryContext(t.Context(), query); err == nil {
					return errors.Join(rows.Close(), fmt.Errorf("%s was answered", query))
				} else if !strings.Contains(err.Error(), "being stored") {
					return err
				}
				tries.Add(1)
			}
			return nil
		})
	}()
	err := d.Session().Do(ctx, func(ctx context.Context, conn *database.Conn) error {
		if err := database.ExecAll(ctx, conn, "CREATE TABLE t (n BIGINT)"); err != nil {
			return err
		}
		for tries.Load() < 1000 && len(done) == 0 {
			if err := conn.Append(ctx, database.Table{Catalog: "warehouse", Schema: "main", Name: "t"}, len(numbers), []database.Values{database.Numbers(numbers)}); err != nil {
				return err
			}
		}
		cancel()
		return conn.Append(ctx, database.Table{Catalog: "warehouse", Schema: "main", Name: "t"}, len(numbers), []database.Values{database.Numbers(numbers)})
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("append after the end of its context: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
