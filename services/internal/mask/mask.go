// Package mask takes secrets out of what people and logs are shown: URLs, and texts that
// have URLs in them, such as errors of others. It imports the standard library only.
package mask

import (
	"net/url"
	"regexp"
	"strings"
)

// hidden stands where a secret was, as in net/url.
const hidden = "xxxxx"

// URL is a URL without its secrets: who logs in and with what, the query and the fragment.
// Of what can't be parsed nothing is left but the scheme.
func URL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return unparsed(raw)
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
	if strings.Contains(u.Opaque, "@") || u.Host == "" && u.User == nil && strings.Contains(u.Path, "@") {
		return u.Scheme + ":…" // one that was taken for a file
	}
	// A name alone may be a token.
	if _, has := u.User.Password(); u.User != nil && !has {
		u.User = url.User(hidden)
	}
	return u.Redacted()
}

func unparsed(raw string) string {
	scheme, _, found := strings.Cut(raw, "://")
	if !found || !schemeOnly.MatchString(scheme) {
		return "(not a URL)"
	}
	return scheme + "://…"
}

var (
	schemeOnly = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)
	// address is what may be a URL in a text, also with a password that should have
	// been percent-encoded, and with a slash too few; MotherDuck's has none.
	address = regexp.MustCompile(`(?i)\b(?:[a-z][a-z0-9+.-]*:/+(?:[^\n/]*@)?|(?:md|motherduck):)\S+`)
	// schemeAlone is how a sentence names a kind of URL.
	schemeAlone = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:/+$`)
	// named is a value whose name says that it is a secret.
	named = regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:token|password|passwd|secret|api[_-]?key|authorization|credentials?))=[^\s&]+`)
	// key is an API key of ours.
	key = regexp.MustCompile(`\bestela_[A-Za-z0-9]{16,}`)
)

// trailing is what may follow a URL in a sentence.
const trailing = `"'` + "`" + `.,:;)]}>`

// Text is a text without the secrets of the URLs in it, without API keys, and without
// values that are called a token, a password or a secret (NAME=VALUE).
func Text(text string) string {
	if strings.Contains(text, ":") {
		text = address.ReplaceAllStringFunc(text, func(found string) string {
			raw := strings.TrimRight(found, trailing)
			masked := URL(raw)
			if masked == raw || raw == unparsed(raw) || schemeAlone.MatchString(raw) { // or masked before
				return found
			}
			return masked + found[len(raw):]
		})
	}
	if strings.Contains(text, "=") {
		text = named.ReplaceAllString(text, "$1="+hidden)
	}
	if strings.Contains(text, "estela_") {
		text = key.ReplaceAllString(text, "estela_"+hidden)
	}
	return text
}

// Secret says whether a URL has one in its query or before its host, where every user of
// the machine could see it.
func Secret(raw string) bool {
	_, query, _ := strings.Cut(raw, "?")
	_, host, found := strings.Cut(raw, "://")
	return named.MatchString(query) || found && strings.Contains(host, "@")
}
