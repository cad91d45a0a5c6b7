// Package warehouse keeps the datasets in DuckDB: in a file or in MotherDuck.
//
// The DuckDB instance is an in-memory one to which the database is attached as
// "warehouse", so that the SQL is the same for both. Outside access is closed
// after that and the configuration locked: a query can read tables and nothing
// else of the machine. Both hold for the whole instance, so files are read by
// throw-away instances (OpenFile, reference tables).
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
// warehouse, and this tells it from others, wherever it is moved; a copy has the same.
//
// A contract takes the place of the one before if it only adds (Register). One that breaks it
// is taken deliberately, when nothing is under way (Accept), unless the stored rows are laid out by
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
// After an error of a commit the position is read again and tells what became of
// it: moved by this commit, it was stored; unchanged, it was not, and may be
// tried again; anything else, another owner has the shard (event.ErrFenced).
// A fatal error of DuckDB, such as a full disk in the wrong moment, leaves its
// instance unusable: the warehouse closes it, interrupting the queries that run,
// and opens a new one for the next call, until that succeeds.
package warehouse
