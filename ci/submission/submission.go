// Package submission delivers the challenge: one POST with who solved it and where.
package submission

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Submission is what the challenge asks for, under the names it asks for.
type Submission struct {
	Name      string `json:"name"`
	Mail      string `json:"mail"`
	GitHubURL string `json:"github_url"`
}

// Validate names everything that is wrong, each with its field, value, reason and way out, so that
// one look mends it all.
func (s Submission) Validate() error {
	return errors.Join(
		problem("name", s.Name, nameFault(s.Name), "give your full name"),
		problem("mail", s.Mail, mailFault(s.Mail), "give an address such as pedro@example.com"),
		problem("github_url", s.GitHubURL, repositoryFault(s.GitHubURL), "give the public repository as https://github.com/OWNER/REPOSITORY"),
	)
}

func problem(field, value, reason, wayOut string) error {
	if strings.TrimSpace(value) == "" {
		reason = "it is empty"
	}
	if reason == "" {
		return nil
	}
	return fmt.Errorf("%s %q: %s; %s", field, value, reason, wayOut)
}

func nameFault(name string) string {
	switch {
	case !utf8.ValidString(name):
		return "it is not UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "it has control characters"
	case strings.TrimSpace(name) != name:
		return "it has spaces around it"
	}
	return ""
}

func mailFault(address string) string {
	parsed, err := mail.ParseAddress(address)
	switch {
	case err != nil:
		return "it is no address (" + err.Error() + ")"
	case parsed.Address != address:
		// A display name, angle brackets, quotes or a comment: fine in a letter's
		// header, not in a form's field.
		return "it is more than a bare address"
	}
	return domainFault(address[strings.LastIndexByte(address, '@')+1:])
}

// Hosts whose repositories are always OWNER/REPOSITORY; others, such as GitLab, have groups in groups.
var flatHosts = []string{"github.com", "www.github.com", "bitbucket.org", "codeberg.org"}

// repositoryPath has two segments or more.
var repositoryPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+){2,}/?$`)

func repositoryFault(address string) string {
	parsed, err := url.Parse(address)
	switch {
	case err != nil:
		return "it is no URL"
	case parsed.Scheme != "https":
		return "it does not begin with https://"
	case parsed.User != nil:
		return "it has credentials in it"
	case strings.ContainsAny(address, "?#"):
		return "it has a query or a fragment"
	}
	segments := strings.Split(strings.Trim(parsed.EscapedPath(), "/"), "/")
	// GitLab's "-" begins a page inside a repository.
	noName := func(s string) bool { return slices.Contains([]string{".", "..", "-", ".git"}, s) }
	flat := slices.Contains(flatHosts, strings.ToLower(parsed.Hostname()))
	if !repositoryPath.MatchString(parsed.EscapedPath()) || slices.ContainsFunc(segments, noName) || flat && len(segments) > 2 {
		return "its path is not OWNER/REPOSITORY"
	}
	return domainFault(parsed.Hostname())
}

// domain is a name of the public internet: labels, of which the last is no number, as that of an IP address is.
var (
	domain    = regexp.MustCompile(`^[\pL\pM\p{Nd}]([\pL\pM\p{Nd}-]*[\pL\pM\p{Nd}])?(\.[\pL\pM\p{Nd}]([\pL\pM\p{Nd}-]*[\pL\pM\p{Nd}])?)+$`)
	ipAddress = regexp.MustCompile(`\.[0-9]+$`)
)

func domainFault(name string) string {
	if !domain.MatchString(name) || ipAddress.MatchString(name) {
		return fmt.Sprintf("its host %q is no public domain name", name)
	}
	return ""
}
