package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// AppendKey adds a key to a file of keys and leaves the rest of it as it is. A file that is not there
// is created, for its owner alone. A running API reads the old keys or the new ones, never a part, and
// of two calls at once none is lost.
func AppendKey(file string, key Key) (err error) {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target // the link stays one
	}
	// The directory is locked, because the file is replaced.
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("open the directory of the API keys: %w", err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock the directory of the API keys: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read API keys: %w", err)
	}
	text := []byte("[]")
	if info != nil {
		if text, err = os.ReadFile(file); err != nil {
			return fmt.Errorf("read API keys: %w", err)
		}
	}
	if text, err = withKey(text, key); err != nil {
		return fmt.Errorf("add %s to the API keys of %s: %w", key.Name, file, err)
	}
	if err := replaceFile(file, info, text); err != nil {
		return fmt.Errorf("write API keys: %w", err)
	}
	return nil
}

// withKey returns the text of a file of keys with one more. An empty file has none.
func withKey(text []byte, key Key) ([]byte, error) {
	array := cmp.Or(strings.TrimSpace(string(text)), "[]")
	if _, err := ParseKeys([]byte(array)); err != nil {
		return nil, err
	}
	entry, err := json.Marshal(key)
	if err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	before := strings.TrimSpace(strings.TrimSuffix(array, "]"))
	if before != "[" {
		before += ","
	}
	array = before + "\n  " + string(entry) + "\n]\n"
	_, err = ParseKeys([]byte(array))
	return []byte(array), err
}

// replaceFile replaces a file by one with the text and the same mode and owner, in one step. was is nil
// if there is none.
func replaceFile(file string, was fs.FileInfo, text []byte) (err error) {
	to, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(to.Name())
		}
	}()
	if was != nil {
		err = to.Chmod(was.Mode().Perm())
		// An API of another user that can't read the file would reject every key.
		if owner, ok := was.Sys().(*syscall.Stat_t); ok && err == nil {
			err = to.Chown(int(owner.Uid), int(owner.Gid))
		}
	}
	if err == nil {
		_, err = to.Write(text)
	}
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	return os.Rename(to.Name(), file)
}
