package database

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// LockedError means that another process has the file open.
type LockedError struct {
	Path    string
	PID     int
	Program string
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("warehouse %s is open in process %d (%s): stop it, or send the command through it with --data-dir %s",
		e.Path, e.PID, e.Program, filepath.Dir(e.Path))
}

// ExtensionError means that MotherDuck's extension could not be loaded.
type ExtensionError struct {
	Location string
	Err      error
}

func (e *ExtensionError) Error() string {
	return fmt.Sprintf("load MotherDuck's extension for %s: %v\n"+
		"It is not part of DuckDB and is downloaded once: allow this machine the network, "+
		"use the container image that has it built in, or choose a file with --warehouse FILE.duckdb", e.Location, e.Err)
}

func (e *ExtensionError) Unwrap() error { return e.Err }

// lockMessage matches DuckDB's message about the process that has the file open.
var lockMessage = regexp.MustCompile(`Conflicting lock is held in (.*) \(PID (\d+)\)`)

// openError converts DuckDB's error of opening path to a LockedError, if it is one.
func openError(path string, err error) error {
	found := lockMessage.FindStringSubmatch(err.Error())
	if found == nil {
		return fmt.Errorf("open warehouse %s: %w", path, err)
	}
	pid, _ := strconv.Atoi(found[2])
	return &LockedError{Path: path, PID: pid, Program: filepath.Base(found[1])}
}

// IsConflict reports whether another transaction changed the same row.
func IsConflict(err error) bool {
	var duck *duckdb.Error
	return errors.As(err, &duck) && duck.Type == duckdb.ErrorTypeTransaction && strings.Contains(duck.Msg, "onflict")
}

// isFatal reports whether the error leaves the instance unusable.
func isFatal(err error) bool {
	if err == nil {
		return false
	}
	var duck *duckdb.Error
	if errors.As(err, &duck) && (duck.Type == duckdb.ErrorTypeFatal || duck.Type == duckdb.ErrorTypeInternal) {
		return true
	}
	return strings.Contains(err.Error(), "database has been invalidated")
}

// redact masks the secret in the error's text. The original is not wrapped, as it would show it again.
func redact(err error, secret string) error {
	if err == nil || secret == "" {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), secret, "***"))
}

// errorOf returns DuckDB's error, of a call that bypasses the driver.
func errorOf(text string, kind mapping.ErrorType) error {
	return &duckdb.Error{Type: duckdb.ErrorType(kind), Msg: text}
}
