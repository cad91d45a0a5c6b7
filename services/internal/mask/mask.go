// Package mask redacts secrets from output and logs: in URLs, and in texts with URLs in them,
// such as errors of libraries. It imports the standard library only.
package mask

import (
	"net/url"
	"regexp"
	"strings"
)

// hidden replaces a secret, as in net/url.
const hidden = "xxxxx"

// URL redacts a URL: user, password, query and fragment. If it can't be parsed, only the scheme
// is left.
func URL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return unparsed(raw)
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
	if strings.Contains(u.Opaque, "@") || u.Host == "" && u.User == nil && strings.Contains(u.Path, "@") {
		return u.Scheme + ":…" // parsed as a file
	}
	// A name alone may be a token.
	if _, has := u.User.Password(); u.User != nil && !has {
		u.User = url.User(hidden)
	}
	return u.Redacted()
}

func unparsed(raw string) string {
	scheme, _, found := strings.Cut(raw, "://")
	if !found || !validScheme.MatchString(scheme) {
		return "(not a URL)"
	}
	return scheme + "://…"
}

var (
	validScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)
	// urlInText matches what may be a URL in a text, also with a password that should have been
	// percent-encoded, and with a slash missing; MotherDuck's have none.
	urlInText = regexp.MustCompile(`(?i)\b(?:[a-z][a-z0-9+.-]*:/+(?:[^\n/]*@)?|(?:md|motherduck):)\S+`)
	// bareScheme is how a sentence names a kind of URL: no more than "redis://".
	bareScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:/+$`)
	// secretValue matches a value whose name says that it is a secret.
	secretValue = regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:token|password|passwd|secret|api[_-]?key|authorization|credentials?))=[^\s&]+`)
	// apiKey matches an API key of ours.
	apiKey = regexp.MustCompile(`\bestela_[A-Za-z0-9]{16,}`)
	// jwt matches a signed token: header and claims are JSON objects in base64url.
	jwt = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]*\.eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*`)
)

// trailingPunctuation may follow a URL in a sentence.
const trailingPunctuation = `"'` + "`" + `.,:;)]}>`

// Text redacts the URLs in a text, API keys, signed tokens, and values that are called a token, a password or
// a secret (NAME=VALUE).
func Text(text string) string {
	if strings.Contains(text, ":") {
		text = urlInText.ReplaceAllStringFunc(text, func(found string) string {
			raw := strings.TrimRight(found, trailingPunctuation)
			masked := URL(raw)
			if masked == raw || raw == unparsed(raw) || bareScheme.MatchString(raw) { // or redacted before
				return found
			}
			return masked + found[len(raw):]
		})
	}
	if strings.Contains(text, "=") {
		text = secretValue.ReplaceAllString(text, "$1="+hidden)
	}
	if strings.Contains(text, "estela_") {
		text = apiKey.ReplaceAllString(text, "estela_"+hidden)
	}
	if strings.Contains(text, "eyJ") {
		text = jwt.ReplaceAllString(text, hidden)
	}
	return text
}

// HasSecret reports whether a URL has a secret in its query or before its host. On a command
// line every user of the machine could read it.
func HasSecret(raw string) bool {
	_, query, _ := strings.Cut(raw, "?")
	_, host, found := strings.Cut(raw, "://")
	return secretValue.MatchString(query) || found && strings.Contains(host, "@")
}
