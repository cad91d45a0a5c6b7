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
		check("name", s.Name, "give your full name", nameRules(s.Name)),
		check("mail", s.Mail, "give an address such as pedro@example.com", mailRules(s.Mail)),
		check("github_url", s.GitHubURL, "give the public repository as https://github.com/OWNER/REPOSITORY", repositoryRules(s.GitHubURL)),
	)
}

// rule is broken for a reason.
type rule struct {
	broken bool
	reason string
}

// check names the first rule that is broken.
func check(field, value, wayOut string, rules []rule) error {
	rules = append([]rule{{strings.TrimSpace(value) == "", "it is empty"}}, rules...)
	for _, r := range rules {
		if r.broken {
			return fmt.Errorf("%s %q: %s; %s", field, value, r.reason, wayOut)
		}
	}
	return nil
}

func nameRules(name string) []rule {
	return []rule{
		{!utf8.ValidString(name), "it is not UTF-8"},
		{strings.ContainsFunc(name, unicode.IsControl), "it has control characters"},
		{strings.TrimSpace(name) != name, "it has spaces around it"},
	}
}

func mailRules(address string) []rule {
	parsed, err := mail.ParseAddress(address)
	return []rule{
		{err != nil, fmt.Sprintf("it is no address (%v)", err)},
		// A display name, angle brackets, quotes or a comment: fine in a letter's
		// header, not in a form's field.
		{err == nil && parsed.Address != address, "it is more than a bare address"},
		domainRule(address[strings.LastIndexByte(address, '@')+1:]),
	}
}

// Hosts whose repositories are always OWNER/REPOSITORY; others, such as GitLab, have groups in groups.
var flatHosts = []string{"github.com", "www.github.com", "bitbucket.org", "codeberg.org"}

var (
	// repositoryPath has two segments or more.
	repositoryPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+){2,}/?$`)
	// noName is a segment that names no owner and no repository: GitLab's "-" begins a page inside one.
	noName = regexp.MustCompile(`/(\.|\.\.|-|\.git)(/|$)`)
	// domain is a name of the public internet.
	domain = regexp.MustCompile(`^[\pL\pM\p{Nd}]([\pL\pM\p{Nd}-]*[\pL\pM\p{Nd}])?(\.[\pL\pM\p{Nd}]([\pL\pM\p{Nd}-]*[\pL\pM\p{Nd}])?)+$`)
	// ipAddress ends in a number, as no such name does.
	ipAddress = regexp.MustCompile(`\.[0-9]+$`)
)

func repositoryRules(address string) []rule {
	parsed, err := url.Parse(address)
	if err != nil {
		return []rule{{true, "it is no URL"}}
	}
	path := parsed.EscapedPath()
	tooDeep := slices.Contains(flatHosts, strings.ToLower(parsed.Hostname())) && strings.Count(strings.Trim(path, "/"), "/") > 1
	return []rule{
		{parsed.Scheme != "https", "it does not begin with https://"},
		{parsed.User != nil, "it has credentials in it"},
		{strings.ContainsAny(address, "?#"), "it has a query or a fragment"},
		{!repositoryPath.MatchString(path) || noName.MatchString(path) || tooDeep, "its path is not OWNER/REPOSITORY"},
		domainRule(parsed.Hostname()),
	}
}

func domainRule(name string) rule {
	return rule{!domain.MatchString(name) || ipAddress.MatchString(name), fmt.Sprintf("its host %q is no public domain name", name)}
}
