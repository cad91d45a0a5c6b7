// Package database opens DuckDB: a file or a MotherDuck database. It is the only package that uses the
// driver. It reads and writes columns of values and knows no table.
//
// The DuckDB instance is an in-memory one to which the database is attached as
// "warehouse", so that the SQL is the same for both. Outside access is closed
// after that and the configuration locked: a query can read tables and nothing
// else of the machine. Both hold for the whole instance, so files are read by
// temporary instances (OpenScratch), and answers are written as Parquet by another
// (ParquetExporter). That one has 512 MB beside the memory limit, of which a file takes
// little more than a row group: 65,536 rows or 8 MB.
//
// # When things fail
//
// A fatal error of DuckDB, such as a full disk at the wrong moment, leaves its
// instance unusable: the DB closes it, interrupting the queries that run,
// and opens a new one for the next call, until that succeeds.
package database
