package submission_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/estela-dev/estela/ci/submission"
)

func valid() submission.Submission {
	return submission.Submission{
		Name:      "Pedro Picapiedra",
		Mail:      "Pedro.picapiedra@example.com",
		GitHubURL: "https://github.com/ppicapiedra/tu-latam-challenge.git",
	}
}

func TestJSONIsWhatTheChallengeAsksFor(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(valid())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"Pedro Picapiedra","mail":"Pedro.picapiedra@example.com","github_url":"https://github.com/ppicapiedra/tu-latam-challenge.git"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestValidateName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Pedro Picapiedra":  "",
		"José Ñandú O'Hara": "",
		"李小龙":               "",
		"":                  "it is empty",
		" \t ":              "it is empty",
		"Pedro\n":           "control characters",
		"Pe\x00dro":         "control characters",
		"Pedro\x1b[31m":     "control characters",
		"Pedro\u0085":       "control characters",
		" Pedro":            "spaces around it",
		"Pe\xffdro":         "not UTF-8",
	} {
		s := valid()
		s.Name = name
		check(t, s, "name", name, want)
	}
}

func TestValidateMail(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"pedro@example.com":           "",
		"pedro+latam@mail.example.cl": "",
		"pedro@correo.ñandu.cl":       "",
		"":                            "it is empty",
		"pedro":                       "no address",
		"pedro@":                      "no address",
		"@example.com":                "no address",
		"a@example.com, b@c.com":      "no address",
		"pedro@localhost":             "no public domain name",
		"Pedro <pedro@example.com>":   "more than a bare address",
		"<pedro@example.com>":         "more than a bare address",
		"pedro@example.com (home)":    "more than a bare address",
		`"pedro p"@example.com`:       "more than a bare address",
		" pedro@example.com":          "more than a bare address",
		"pedro@[10.0.0.1]":            "no public domain name",
		"pedro@10.0.0.1":              "no public domain name",
		"pedro@-example.com":          "no public domain name",
		"pedro@exa_mple.com":          "no public domain name",
		"pedro@example.com\r\nBcc: x": "no address",
	} {
		s := valid()
		s.Mail = address
		check(t, s, "mail", address, want)
	}
}

func TestValidateGitHubURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://github.com/o/r":               "",
		"https://github.com/o/r.git":           "",
		"https://github.com/o/r/":              "",
		"https://GitHub.com/o/.github":         "",
		"https://gitlab.com/group/sub/r":       "",
		"https://bitbucket.org/o/r":            "",
		"https://git.sr.ht/~o/r":               "",
		"":                                     "it is empty",
		"http://github.com/o/r":                "https://",
		"github.com/o/r":                       "https://",
		"git@github.com:o/r.git":               "no URL",
		"ssh://git@github.com/o/r":             "https://",
		"https://github.com":                   "OWNER/REPOSITORY",
		"https://github.com/o":                 "OWNER/REPOSITORY",
		"https://github.com//r":                "OWNER/REPOSITORY",
		"https://github.com/o//r":              "OWNER/REPOSITORY",
		"https://github.com/o/..":              "OWNER/REPOSITORY",
		"https://github.com/o/.git":            "OWNER/REPOSITORY",
		"https://github.com/o/r%20x":           "OWNER/REPOSITORY",
		"https://github.com/o/r/tree/main":     "OWNER/REPOSITORY",
		"https://gitlab.com/o/r/-/tree/main":   "OWNER/REPOSITORY",
		"https://github/o/r":                   "no public domain name",
		"https://140.82.121.4/o/r":             "no public domain name",
		"https://[::1]/o/r":                    "no public domain name",
		"https://github..com/o/r":              "no public domain name",
		"https://u:secret@github.com/o/r":      "credentials",
		"https://ghp_x@github.com/o/r":         "credentials",
		"https://github.com/o/r?tab=readme":    "query or a fragment",
		"https://github.com/o/r?":              "query or a fragment",
		"https://github.com/o/r#readme":        "query or a fragment",
		"https://github.com/o/r#":              "query or a fragment",
		"https://github.com/o/r\nX: y":         "no URL",
		"https://github.com/OWNER/REPO SITORY": "OWNER/REPOSITORY",
	} {
		s := valid()
		s.GitHubURL = address
		check(t, s, "github_url", address, want)
	}
}

func check(t *testing.T, s submission.Submission, field, value, want string) {
	t.Helper()
	err := s.Validate()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s %q: %v", field, value, err)
	case want == "":
	case err == nil:
		t.Errorf("%s %q: accepted; want %q", field, value, want)
	case !strings.HasPrefix(err.Error(), field+" ") || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "; give "):
		t.Errorf("%s %q: %v; want field, %q and the way out", field, value, err, want)
	}
}

func TestValidateNamesEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	err := submission.Submission{Name: "\a", Mail: "pedro", GitHubURL: "ftp://x"}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for i, line := range strings.Split(err.Error(), "\n") {
		if want := []string{`name "\a"`, `mail "pedro"`, `github_url "ftp://x"`}[i]; !strings.HasPrefix(line, want) {
			t.Errorf("line %d is %q; want it to begin with %q", i, line, want)
		}
	}
}
