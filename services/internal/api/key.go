package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Key is an API key as it is stored: by its hash. The key itself is random, so
// that a plain hash is enough; a password would need more.
type Key struct {
	// Name says whose it is, in the log.
	Name string `json:"name"`
	// SHA256 is the hash of the key, in hexadecimal.
	SHA256 string `json:"sha256"`
	// Datasets are what the key opens; "*" is all.
	Datasets []string `json:"datasets"`
	// Rate is the number of requests a second that it is good for.
	//
	// Default: Config.Rate.
	Rate int `json:"rate,omitempty"`
	// Expires is when it ends.
	//
	// Default: never.
	Expires *time.Time `json:"expires,omitempty"`

	sum []byte
}

// keyPrefixText begins every key, so that people and secret scanners know one.
const keyPrefixText = "estela_"

var keyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// NewKey makes a key: the secret, told once, and what is stored of it.
func NewKey(name string, datasets []string) (secret string, key Key) {
	secret = keyPrefixText + rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(secret))
	return secret, Key{Name: name, SHA256: hex.EncodeToString(sum[:]), Datasets: datasets}
}

// Keys are the API keys of a file, which is read again when it changes.
type Keys struct {
	file string
	all  atomic.Pointer[[]Key]
	seen string // size and time of the file when it was read
}

// LoadKeys reads a file of keys: a JSON array of Key.
func LoadKeys(file string) (*Keys, error) {
	k := &Keys{file: file}
	return k, k.Reload()
}

// Reload reads the file again if it has changed. After an error the keys are
// those from before.
func (k *Keys) Reload() error {
	info, err := os.Stat(k.file)
	if err != nil {
		return fmt.Errorf("read API keys: %w", err)
	}
	seen := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	if seen == k.seen {
		return nil
	}
	text, err := os.ReadFile(k.file)
	if err != nil {
		return fmt.Errorf("read API keys: %w", err)
	}
	keys, err := ParseKeys(text)
	if err != nil {
		return fmt.Errorf("read API keys of %s: %w", k.file, err)
	}
	k.all.Store(&keys)
	k.seen = seen
	return nil
}

// ParseKeys reads a JSON array of keys. Its errors name the key, never a hash.
func ParseKeys(text []byte) ([]Key, error) {
	var keys []Key
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&keys); err != nil {
		return nil, fmt.Errorf("it is no JSON array of keys: %w", err)
	}
	names := map[string]bool{}
	for i := range keys {
		if err := keys[i].check(); err != nil {
			return nil, fmt.Errorf("key %d (%q): %w", i+1, keys[i].Name, err)
		}
		if names[keys[i].Name] {
			return nil, fmt.Errorf("key %d: the name %s is taken", i+1, keys[i].Name)
		}
		names[keys[i].Name] = true
	}
	return keys, nil
}

func (k *Key) check() (err error) {
	k.sum, err = hex.DecodeString(k.SHA256)
	switch {
	case !keyName.MatchString(k.Name):
		return errors.New("name must be 1 to 64 letters, digits and . _ @ -")
	case err != nil || len(k.sum) != sha256.Size:
		return errors.New("sha256 must be 64 hexadecimal digits: 'estela key new NAME' prints them")
	case len(k.Datasets) == 0:
		return errors.New(`datasets must name at least one, or "*"`)
	case k.Rate < 0:
		return errors.New("rate must not be negative")
	}
	return nil
}

// find is the key of that secret. Every key is compared, each in constant time, so
// that the time tells nothing of which one nearly matched.
func (k *Keys) find(secret string, now time.Time) (found Key, ok bool) {
	sum := sha256.Sum256([]byte(secret))
	for _, key := range *k.all.Load() {
		if subtle.ConstantTimeCompare(sum[:], key.sum) == 1 {
			found, ok = key, key.Expires == nil || now.Before(*key.Expires)
		}
	}
	return found, ok
}

// opens says whether the key is good for the dataset.
func (k *Key) opens(dataset string) bool {
	return slices.Contains(k.Datasets, "*") || slices.Contains(k.Datasets, dataset)
}
