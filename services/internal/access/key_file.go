package access

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/estela-dev/estela/services/internal/fault"
)

// AppendKey adds a key to a file of keys and leaves the rest of it as it is. A file that is not there
// is created, for its owner alone. A running API reads the old keys or the new ones, never a part, and
// of two calls at once none is lost.
func AppendKey(file string, key Key) error {
	err := edit(file, "[]", func(text []byte) ([]byte, error) { return withKey(text, key) })
	if err != nil {
		return fmt.Errorf("add %s to the API keys of %s: %w", key.Name, file, err)
	}
	return nil
}

// RevokeKey removes the key of that name from a file of keys, in the same way.
func RevokeKey(file, name string) error {
	err := edit(file, "", func(text []byte) ([]byte, error) { return withoutKey(text, name) })
	if err != nil {
		return fmt.Errorf("revoke %s in the API keys of %s: %w", name, file, err)
	}
	return nil
}

// AppendTokenKey adds the public part of a signing key to a file of token keys, in the same way.
func AppendTokenKey(file string, key *SigningKey) error {
	err := edit(file, `{"keys":[]}`, func(text []byte) ([]byte, error) { return withTokenKey(text, key) })
	if err != nil {
		return fmt.Errorf("add %s to the token keys of %s: %w", key.Kid, file, err)
	}
	return nil
}

// edit replaces a file of credentials by what change makes of it, in one step, while no other call edits
// it. empty is the text of a file that is not there; without one it must be there.
func edit(file, empty string, change func([]byte) ([]byte, error)) (err error) {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target // the link stays one
	}
	// The directory is locked, because the file is replaced.
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", dir.Name(), err)
	}
	info, err := os.Stat(file)
	text := []byte(empty)
	switch {
	case err == nil:
		if text, err = os.ReadFile(file); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist) || empty == "":
		return err
	}
	if text, err = change(text); err != nil {
		return err
	}
	return replaceFile(file, info, text)
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

// withoutKey returns the text of a file of keys without one of them.
func withoutKey(text []byte, name string) ([]byte, error) {
	keys, err := ParseKeys(text)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	n := slices.Index(names, name)
	if n < 0 {
		return nil, fmt.Errorf("no key has that name%s", fault.DidYouMean(name, names))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	_, _ = d.Token() // the bracket; it was parsed
	from, to := d.InputOffset(), d.InputOffset()
	for range n + 1 {
		from = to
		if err := d.Decode(&json.RawMessage{}); err != nil {
			return nil, err // can't be: it was parsed
		}
		to = d.InputOffset()
	}
	if n == 0 && d.More() { // else the comma before it goes with it
		to += int64(bytes.IndexByte(text[to:], ',')) + 1
	}
	text = slices.Concat(text[:from], text[to:])
	_, err = ParseKeys(text)
	return text, err
}

// withTokenKey returns the text of a JWK set with one more.
func withTokenKey(text []byte, key *SigningKey) ([]byte, error) {
	if _, err := parseKeySet(text); err != nil {
		return nil, err
	}
	set, err := members(text)
	if err != nil {
		return nil, err
	}
	var keys []json.RawMessage
	if err := json.Unmarshal(set["keys"], &keys); err != nil {
		return nil, err
	}
	if set["keys"], err = json.Marshal(append(keys, key.Public())); err != nil {
		return nil, err
	}
	if text, err = json.MarshalIndent(set, "", "  "); err != nil {
		return nil, err
	}
	_, err = parseKeySet(text)
	return append(text, '\n'), err
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
