// Package access says who a request comes from and what that credential opens: a Grant.
//
// # API keys
//
// A Key is a random secret, stored as its SHA-256 in a file of keys. It names the datasets that it may
// read and those that it may write to; one for writing alone reads nothing. AppendKey and RevokeKey
// change the file in one step, and Keys reads it again when it has changed.
//
// # Signed tokens
//
// A token is a JWT (RFC 7519) that whoever has a signing key makes for one of their own customers: it
// opens some endpoints, with some parameters pinned to a value, for a day at most. The public keys (or
// shared secrets) are a JWK set (RFC 7517), several of them for rotation:
//
//	{"keys":[{"kid":"2026-01","kty":"OKP","crv":"Ed25519","x":"…"},{"kid":"b","kty":"oct","k":"…"}]}
//
// The key decides on the algorithm (EdDSA for OKP, HS256 for oct), not the token. The header's kid
// names the key; a token without one, with another alg or with a crit is refused, and jwk, jku and x5u
// are never followed. Claims:
//
//	sub        whose it is, 1 to 128 characters; for limits and the log
//	aud        has the API's audience, "estela" unless configured
//	iat, exp   both required, at most MaxLifetime apart
//	nbf        optional; like iat it may be up to Leeway ahead
//	endpoints  the endpoints that it opens, each DATASET/NAME
//	pins       parameter -> value, as text; required, {} for none, so that a misspelt one pins nothing unseen
//	rate       optional: its requests a second
//
// Other claims are ignored. A pin holds for every endpoint of the token: one without that parameter, or
// whose parameter the value is not valid for, is refused (package api). Tokens never write.
//
// A verified token's Grant is cached until it expires or the key set changes, by the token's hash.
package access
