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

// Endpoint is where the challenge wants its solutions announced.
const Endpoint = "https://advana-challenge-check-api-cr-k4hdbggvoq-uc.a.run.app/devops"

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
	if reason == "" {
		return nil
	}
	return fmt.Errorf("%s %q: %s; %s", field, value, reason, wayOut)
}

func nameFault(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "it is empty"
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
	case address == "":
		return "it is empty"
	case err != nil:
		return "it is no address (" + err.Error() + ")"
	case parsed.Address != address:
		// A display name, angle brackets, quotes or a comment: fine in a letter's
		// header, not in a form's field.
		return "it is more than a bare address"
	}
	return domainFault(address[strings.LastIndexByte(address, '@')+1:])
}

func repositoryFault(address string) string {
	parsed, err := url.Parse(address)
	switch {
	case address == "":
		return "it is empty"
	case err != nil:
		return "it is no URL"
	case parsed.Scheme != "https":
		return "it does not begin with https://"
	case parsed.User != nil:
		return "it has credentials in it"
	case strings.ContainsAny(address, "?#"):
		return "it has a query or a fragment"
	}
	if reason := domainFault(parsed.Hostname()); reason != "" {
		return reason
	}
	return pathFault(strings.ToLower(parsed.Hostname()), parsed.EscapedPath())
}

// Hosts whose repositories are always OWNER/REPOSITORY; others, such as GitLab, have groups in groups.
var flatHosts = []string{"github.com", "www.github.com", "bitbucket.org", "codeberg.org"}

var pathSegment = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)

func pathFault(host, path string) string {
	segments := strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
	for _, s := range segments {
		// GitLab's "-" begins a page inside a repository.
		if !pathSegment.MatchString(s) || slices.Contains([]string{".", "..", "-", ".git"}, s) {
			return "its path is not OWNER/REPOSITORY"
		}
	}
	if len(segments) < 2 || len(segments) > 2 && slices.Contains(flatHosts, host) {
		return "its path is not OWNER/REPOSITORY"
	}
	return ""
}

// domainFault says what keeps a name from being one of the public internet.
func domainFault(domain string) string {
	labels := strings.Split(domain, ".")
	if len(labels) < 2 {
		return fmt.Sprintf("its host %q has no dot", domain)
	}
	for _, label := range labels {
		if label == "" || strings.Trim(label, "-") != label || strings.ContainsFunc(label, notInLabel) {
			return fmt.Sprintf("its host %q is no domain name", domain)
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return fmt.Sprintf("its host %q is an IP address", domain)
	}
	return ""
}

func notInLabel(r rune) bool {
	return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
}
