// Package warehouse holds the datasets' tables in DuckDB: a file or a MotherDuck
// database, opened by package database.
//
// # Tables
//
// Each dataset has a table warehouse.main.<dataset>: the contract's columns and
// the place that each row came from. The schema warehouse.estela holds
// positions, rejects, contracts and markers. No table has a primary key: with
// one, inserting slows down with the table's size (15,000 rows/s at 30 million
// rows, against 500,000). What a key would guard, the position row guards.
//
// A random text among the markers is the warehouse's identity. Streams belong to one
// warehouse, and this distinguishes it from others, wherever it is moved; a copy has the same.
//
// A contract takes the place of the one before if it only adds (Register). One that breaks it
// is taken deliberately, when nothing is in flight (Accept), unless the stored rows are laid out by
// what changes. Columns are never dropped.
//
// # Commits
//
// Rows, rejects and the step of the position are one transaction. The update of
// the position names the owner's epoch and the rev it has seen and must change
// one row; every change of the row raises rev, because DuckDB sees conflicts of
// updates column by column: without a column in common, an old owner's commit
// and a takeover would both succeed.
//
// DuckDB writes to one attached database in a transaction, and its appender does
// not work on MotherDuck's tables. There the rows are first appended to a
// temporary table, before BEGIN, and then inserted from it. Config.Staged does
// the same on a file, so that tests run that path without MotherDuck.
//
// # When things fail
//
// After an error of a commit the position is read again and shows what became of
// it: moved by this commit, it was stored; unchanged, it was not, and may be
// retried; anything else, another owner has the shard (event.ErrFenced).
package warehouse
