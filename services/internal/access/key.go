package access

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
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
	//
	// Default: none.
	Datasets []string `json:"datasets,omitempty"`
	// Write are those that it may write to; "*" is all.
	//
	// Default: none.
	Write []string `json:"write,omitempty"`
	// Inspect is whether it may look at the whole warehouse: the rows and rejects of every dataset, by any SQL, and
	// the pipeline's state.
	//
	// Default: false.
	Inspect bool `json:"inspect,omitempty"`
	// Rate is its number of requests a second.
	//
	// Default: that of the API.
	Rate int `json:"rate,omitempty"`
	// Expires is when it becomes invalid.
	//
	// Default: never.
	Expires *time.Time `json:"expires,omitempty"`
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

// Expired reports whether the key is no longer valid.
func (k *Key) Expired(now time.Time) bool { return k.Expires != nil && !now.Before(*k.Expires) }

// grant returns what the key opens.
func (k *Key) grant() *Grant {
	g := &Grant{Subject: k.Name, Rate: k.Rate, read: k.Datasets, write: k.Write, inspect: k.Inspect}
	if k.Expires != nil {
		g.Expires = *k.Expires
	}
	return g
}

// ParseKeys parses a JSON array of keys. Its errors name the key, never a hash.
func ParseKeys(text []byte) ([]Key, error) {
	var keys []Key
	d := json.NewDecoder(bytes.NewReader(text))
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
	case k.Inspect && !slices.Contains(k.Datasets, all):
		return errors.New(`inspect opens all datasets, so datasets must be ["*"]`)
	case k.Rate < 0:
		return errors.New("rate must not be negative")
	}
	return nil
}
