// Package warehouse holds the datasets' tables in DuckDB: a file or a MotherDuck
// database, opened by package database.
//
// # Tables
//
// Each dataset has a table warehouse.main.<dataset>: the contract's columns and
// the origin of each row (contract.SystemColumns). The schema warehouse.estela holds
// positions, rejects, contracts and markers. No table has a primary key: with
// one, inserting slows down with the table's size (15,000 rows/s at 30 million
// rows, against 500,000). The position row guards what a key would.
//
// A random text among the markers is the warehouse's identity, by which it claims streams. It stays the
// same when the warehouse is moved; a copy has it, too.
//
// The contract's texts, units and examples are the comments of the table and its columns.
//
// A contract that only adds replaces the stored one (Register). One that breaks it is accepted explicitly,
// when nothing is in flight (Accept), unless it conflicts with the stored rows. Columns are never
// dropped.
//
// # Commits
//
// Rows, rejects and the update of the position are one transaction. The update of
// the position compares the owner's epoch and the rev it has read and must change
// one row; every change of the row raises rev, because DuckDB sees conflicts of
// updates column by column: without a column in common, an old owner's commit
// and a takeover would both succeed.
//
// DuckDB reads the rows from Go's memory, by a table function (database.Conn.Append), and writes to one
// attached database in a transaction. On MotherDuck the rows are first appended to a temporary table,
// before BEGIN, and then inserted from it. Config.Staged does the same on a file, so that tests run that
// path without MotherDuck.
//
// # When things fail
//
// After a failed commit the position is looked up, which shows the outcome: moved by this commit, it was
// stored; unchanged, it was not, and may be retried; anything else, another process has changed it
// (event.ErrFenced).
package warehouse
