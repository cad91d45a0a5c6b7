package api

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Key is an API key as it is stored: by its SHA-256. That is enough, unlike for passwords, because
// the secret is random.
type Key struct {
	// Name identifies its owner in the log.
	Name string `json:"name"`
	// SHA256 is the hash of the key, in hexadecimal.
	SHA256 string `json:"sha256"`
	// Datasets are those that the key may read; "*" is all.
	Datasets []string `json:"datasets,omitempty"`
	// Write are those that it may write to; "*" is all.
	//
	// Default: none.
	Write []string `json:"write,omitempty"`
	// Rate is its number of requests a second.
	//
	// Default: Config.Rate.
	Rate int `json:"rate,omitempty"`
	// Expires is when it becomes invalid.
	//
	// Default: never.
	Expires *time.Time `json:"expires,omitempty"`

	policy []byte // its header RateLimit-Policy
}

// secretPrefix begins every key, so that people and secret scanners know one.
const secretPrefix = "estela_"

var keyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// NewKey generates a key to read datasets and to write to some: the secret, to be shown once, and the Key
// to be stored.
func NewKey(name string, datasets []string, write ...string) (secret string, key Key) {
	secret = secretPrefix + rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(secret))
	return secret, Key{Name: name, SHA256: hex.EncodeToString(sum[:]), Datasets: datasets, Write: write}
}

// keySum is the hash of a key.
type keySum = [sha256.Size]byte

// Keys are the API keys of a file, which Reload reads again.
type Keys struct {
	file string
	// bySum has them by their hash. It is nil while the file is missing.
	bySum atomic.Pointer[map[keySum]*Key]
	text  []byte // of the file when it was last read
}

// KeysMissingError is returned if the key file is missing or unreadable: no key is valid until it
// is back.
type KeysMissingError struct{ cause error }

func (e *KeysMissingError) Error() string {
	return "read API keys: " + e.cause.Error() + "; every key is rejected until the file is back"
}

func (e *KeysMissingError) Unwrap() error { return e.cause }

// LoadKeys reads a file of keys: a JSON array of Key.
func LoadKeys(file string) (*Keys, error) {
	k := &Keys{file: file}
	err := k.Reload()
	if gone, ok := errors.AsType[*KeysMissingError](err); ok {
		return nil, fmt.Errorf("read API keys: %w", gone.cause)
	}
	return k, err
}

// Reload reads the file again and compares its content, not its time. An invalid file keeps the
// previous keys. A missing one rejects every key, for removing it is taken to mean that; the
// error is a *KeysMissingError then.
func (k *Keys) Reload() error {
	text, err := os.ReadFile(k.file)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		k.bySum.Store(nil)
		k.text = nil
		return &KeysMissingError{err}
	case err != nil:
		return fmt.Errorf("read API keys: %w", err)
	case k.bySum.Load() != nil && bytes.Equal(text, k.text):
		return nil
	}
	keys, err := ParseKeys(text)
	if err != nil {
		return fmt.Errorf("read API keys of %s: %w", k.file, err)
	}
	bySum := make(map[keySum]*Key, len(keys))
	for i := range keys {
		sum, err := hex.DecodeString(keys[i].SHA256)
		if err != nil {
			return err // can't be: it was parsed
		}
		keys[i].policy = ratePolicy(keys[i].Rate)
		bySum[keySum(sum)] = &keys[i]
	}
	k.bySum.Store(&bySum)
	k.text = text
	return nil
}

// ParseKeys parses a JSON array of keys. Its errors name the key, never a hash.
func ParseKeys(text []byte) ([]Key, error) {
	var keys []Key
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&keys); err != nil {
		return nil, fmt.Errorf("it is no JSON array of keys: %w", err)
	}
	if keys == nil {
		return nil, errors.New("it is no JSON array of keys: [] is nobody")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text after the JSON array of keys: remove it, or put all keys into one array")
	}
	names := map[string]bool{}
	for i := range keys {
		if err := keys[i].validate(); err != nil {
			return nil, fmt.Errorf("key %d (%q): %w", i+1, keys[i].Name, err)
		}
		if names[keys[i].Name] {
			return nil, fmt.Errorf("key %d: the name %s is taken", i+1, keys[i].Name)
		}
		names[keys[i].Name] = true
	}
	return keys, nil
}

func (k *Key) validate() error {
	sum, err := hex.DecodeString(k.SHA256)
	switch {
	case !keyName.MatchString(k.Name):
		return errors.New("name must be 1 to 64 letters, digits and . _ @ -")
	case err != nil || len(sum) != sha256.Size:
		return errors.New("sha256 must be 64 hexadecimal digits: 'estela key new NAME' prints them")
	case len(k.Datasets) == 0 && len(k.Write) == 0:
		return errors.New(`datasets must name at least one to read, or write one to write to; "*" is all`)
	case k.Rate < 0:
		return errors.New("rate must not be negative")
	}
	return nil
}

// lookup returns the key of the secret, and whether it is valid. It is found by its hash: what the
// duration could reveal of that is of no use without a secret that has it.
func (k *Keys) lookup(secret []byte, now time.Time) (found *Key, ok bool) {
	bySum := k.bySum.Load()
	if bySum == nil {
		return nil, false
	}
	found, ok = (*bySum)[sha256.Sum256(secret)]
	return found, ok && (found.Expires == nil || now.Before(*found.Expires))
}

// fileMissing reports whether the key file is missing.
func (k *Keys) fileMissing() bool { return k.bySum.Load() == nil }

// allows reports whether the key may read the dataset.
func (k *Key) allows(dataset string) bool {
	return slices.Contains(k.Datasets, "*") || slices.Contains(k.Datasets, dataset)
}

// allowsWrite reports whether the key may write to the dataset; the nil key of a server without keys may.
func (k *Key) allowsWrite(dataset string) bool {
	return k == nil || slices.Contains(k.Write, "*") || slices.Contains(k.Write, dataset)
}

// allowsAll reports whether the key may read all of the datasets.
func (k *Key) allowsAll(datasets []string) bool {
	return !slices.ContainsFunc(datasets, func(d string) bool { return !k.allows(d) })
}
