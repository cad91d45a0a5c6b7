// Package statement checks a query's syntax tree as DuckDB parses it (json_serialize_sql, which
// neither binds nor plans): the tables and functions that it uses, and how large its values can
// become. It imports neither DuckDB nor HTTP: the caller provides a Parser.
//
// # What may be read
//
// Tables are listed through subqueries, CTEs and views, and the caller decides who may read
// them. Functions are on an allowlist with their kinds (functions.txt); others are rejected, so
// that an upgrade of DuckDB can't add a way around.
//
// # How large a value may be
//
// DuckDB evaluates expressions outside of its buffer manager, in vectors of 2,048
// rows, and does not check for an interrupt within one; those of constants already
// while it plans. Measured with DuckDB 1.5.6, memory_limit 512 MB, interrupted after
// 2 s (time until it ended, peak of RSS):
//
//	len(range(200000000))                          11 s   3.7 GB
//	len(repeat('x', 2000000000))                   18 s   4.0 GB
//	len(lpad('x', 1000000000, 'y'))                19 s   2.0 GB
//	len(list_resize([1], 300000000))               12 s   2.2 GB
//	printf('%1000000000d', 1), format likewise      8 s   2.0 GB
//	bitstring('1', 1000000000)                      4 s   0.3 GB
//	replace, regexp_replace of long by long      9-24 s   4.0 GB
//	approx_top_k(s, 900000) of many groups         21 s   6.8 GB
//	repeat(column, 100000)                        2.9 s   1.7 GB
//	list_transform in list_transform, 3000 cubed  > 25 s
//	levenshtein of two texts of 300,000           > 25 s
//	ILIKE, GLOB, LIKE with _ and ten wildcards    > 25 s
//	SELECT *, * nested 18 times                   > 25 s
//	300,000 digits cast to BIGNUM                  25 s
//
// These end at the memory limit or within 0.1 s of the interrupt, and are left to DuckDB: list, string_agg and JSON builders over rows, windows, CUBE, max(x, n),
// range as a table, joins of all with all, DISTINCT, ORDER BY, and recursion that
// adds to a number, date or text.
//
// So the first kind is bounded before DuckDB plans anything: the size of each value is estimated
// from its expression. A table's column counts as ColumnBytes, an aggregate of many rows as
// more; what depends on a column counts for a whole vector. An argument that sizes a value must
// be a constant, a parameter with a maximum or bounded by least(x, N). A value over MaxBytes is
// rejected.
//
// Rejected alternatives: constants bound as parameters are not folded while planning, but
// evaluated all the same at execution. A second process with its own limit can't open the file.
// An interrupt can't stop a vector. Package memory is the second line of defence, for columns far
// larger than estimated.
package statement
