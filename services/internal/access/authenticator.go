package access

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"time"
)

// Authenticator knows the credentials of a server.
type Authenticator struct {
	// Keys are the API keys.
	//
	// Default: none.
	Keys *Keys
	// Tokens verifies signed tokens.
	//
	// Default: none is valid.
	Tokens *Tokens
}

// RefusedError is returned for a credential that is not valid. Reason is a sentence for who sent it: of
// a token whose signature was not verified it says nothing.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// errMissing is returned while the file that would tell is missing.
var errMissing = errors.New("the file of credentials is missing")

var errUnknownKey = &RefusedError{"The API key is unknown or has expired. Ask the team whose data this is for a new one."}

// Authenticate returns what a secret opens: an API key, or a signed token. Its error is a *RefusedError,
// or another while nothing can be checked.
func (a *Authenticator) Authenticate(secret []byte, now time.Time) (*Grant, error) {
	sum := sha256.Sum256(secret)
	var missing error
	if a.Keys != nil {
		g, err := a.Keys.lookup(sum, now)
		if g != nil {
			return g, nil
		}
		missing = err
	}
	switch {
	case a.Tokens != nil && bytes.Count(secret, []byte(".")) == 2:
		return a.Tokens.verify(sum, secret, now)
	case missing != nil:
		return nil, missing
	}
	return nil, errUnknownKey
}

// Reload reads the files again.
func (a *Authenticator) Reload() error {
	var keys, tokens error
	if a.Keys != nil {
		keys = a.Keys.Reload()
	}
	if a.Tokens != nil {
		tokens = a.Tokens.Reload()
	}
	return errors.Join(keys, tokens)
}
