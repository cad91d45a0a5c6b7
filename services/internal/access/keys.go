package access

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// secretSum is the hash of a secret.
type secretSum = [sha256.Size]byte

// Keys are the API keys of a file, which Reload reads again.
type Keys struct {
	file[map[secretSum]*Grant]
}

// LoadKeys reads a file of keys: a JSON array of Key.
func LoadKeys(path string) (*Keys, error) {
	k := &Keys{}
	k.path, k.what, k.parse = path, "API keys", parseGrants
	return k, k.load()
}

func parseGrants(text []byte) (*map[secretSum]*Grant, error) {
	keys, err := ParseKeys(text)
	if err != nil {
		return nil, err
	}
	grants := make(map[secretSum]*Grant, len(keys))
	for i := range keys {
		sum, err := hex.DecodeString(keys[i].SHA256)
		if err != nil {
			return nil, err // can't be: it was parsed
		}
		grants[secretSum(sum)] = keys[i].grant()
	}
	return &grants, nil
}

// lookup returns the grant of the key whose secret has the hash, nil if there is none. What the duration
// could reveal of a hash is of no use without a secret that has it.
func (k *Keys) lookup(sum secretSum, now time.Time) (*Grant, error) {
	grants := k.parsed.Load()
	if grants == nil {
		return nil, errMissing
	}
	if g := (*grants)[sum]; g != nil && !g.expired(now) {
		return g, nil
	}
	return nil, nil
}
