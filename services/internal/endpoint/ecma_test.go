package endpoint_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/endpoint"
)

func TestECMA(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		// Unchanged, where both syntaxes agree.
		`^[A-Z]{3}$`:                 `^[A-Z]{3}$`,
		`^[A-Za-z0-9:_-]{1,64}$`:     `^[A-Za-z0-9:_-]{1,64}$`,
		`^\d{4}-(?:0\d|1[0-2])\/x?$`: `^\d{4}-(?:0\d|1[0-2])\/x?$`,
		`^(a|b)+?\.csv$`:             `^(a|b)+?\.csv$`,
		`^[^\w-]*Ñ$`:                 `^[^\w-]*Ñ$`,
		// RE2 only.
		`(?i)^k1$`:            "^[Kk\u212a]1$",
		`(?i)^[a-c]$`:         `^[A-Ca-c]$`,
		`\Aab\z`:              `^ab$`,
		`^\pL+$`:              `^[\p{L}]+$`,
		`^[\pL\p{Nd} _-]+$`:   `^[\p{L}\p{Nd} \-_]+$`,
		`^\p{Greek}{2}$`:      `^[\p{Script=Greek}]{2}$`,
		`^\PL$`:               `^[^\p{L}]$`,
		`^.$`:                 `^[^\n]$`,
		`(?s)^.$`:             `^[\s\S]$`,
		`^(?P<year>\d+)$`:     `^(?:[0-9]+)$`,
		`^(?<year>\d+)$`:      `^(?:[0-9]+)$`,
		`^[[:alpha:]]+$`:      `^[A-Za-z]+$`,
		`^\Qa.b*\E$`:          `^a\.b\*$`,
		`^x{,3}$`:             `^x\{,3\}$`,
		`(?U)^a+b$`:           `^a+b$`,
		`^\s\t\x{1F600}\a$`:   `^[\u0009\u000a\u000c\u000d ]\u0009😀\u0007$`,
		`^]}$`:                `^\]\}$`,
		`^[]a-]$`:             `^[\-\]a]$`,
		`^*a`:                 `(?:^)*a`,
		`^(?:ab|c)d(?:e|)$`:   `^(?:ab|c)d(?:e|)$`,
		`^(?i:straße)\b`:      `^[Ssſ][Tt][Rr][Aa][ßẞ][Ee]\b`,
		`^[^\n\x{2028}]{2,}$`: `^[^\u000a\u2028]{2,}$`,
		// No translation, or no readable one.
		`(?m)^a$`:            "",
		`(?m:$)`:             "",
		`[^\x00-\x{10ffff}]`: "",
	} {
		got, ok := endpoint.ECMA(pattern)
		if got != want || ok != (want != "") {
			t.Errorf("%s: got %s, %t; want %s", pattern, got, ok, want)
		}
	}
}

// toRE2 converts ECMA's output to RE2's syntax, one to one.
var toRE2 = strings.NewReplacer(`\\`, `\\`, `\u{`, `\x{`, `\p{Script=`, `\p{`, `\/`, `/`)

var fourDigits = regexp.MustCompile(`\\u([0-9a-f]{4})`)

// A translated pattern matches the same texts.
func FuzzECMA(f *testing.F) {
	for _, pattern := range []string{`(?i)^[k-z]\pL*$`, `a.c`, `(?s)a.c`, `^\PN{1,3}|\bx\B`, `[[:^space:]_-]+`, `\Qa.b\E$`, `(?i)ſ{2,}`, `[^\p{Greek}x]`, `(a|b?)*c`, `^]\s`} {
		for _, text := range []string{"", "abc", "a\nc", "K", "\u212a", "ΑΒ", "é\u2028", "ſs", "x-_ ]\t", "12 😀"} {
			f.Add(pattern, text)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return
		}
		translated, ok := endpoint.ECMA(pattern)
		if !ok {
			return
		}
		again, err := regexp.Compile(fourDigits.ReplaceAllString(toRE2.Replace(translated), `\x{$1}`))
		if err != nil {
			t.Fatalf("%q becomes %q: %v", pattern, translated, err)
		}
		if text = strings.ToValidUTF8(text, "?"); re.MatchString(text) != again.MatchString(text) {
			t.Errorf("%q and %q differ on %q", pattern, translated, text)
		}
	})
}
