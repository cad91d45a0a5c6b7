package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// A secret in a URL comes out nowhere, whatever is wrong with the command line.
func TestSecretsInURLsAreNeverShown(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		want int // exit code
		says string
	}{
		{[]string{"up", "--data-dir", dir, "--warehouse", "md:db?motherduck_token=" + secret}, exitUsage, "MOTHERDUCK_TOKEN"},
		{[]string{"doctor", "--data-dir", dir, "--warehouse", "md:db?x=1&MOTHERDUCK_TOKEN=" + secret}, exitUsage, "MOTHERDUCK_TOKEN"},
		{[]string{"version", "--warehouse", "md:db?motherduck_token=" + secret}, exitUsage, "MOTHERDUCK_TOKEN"},
		{[]string{"version", "redis://:" + secret + "@host"}, exitUsage, "redis://"},
		{[]string{"version", "--data", "https://" + secret + "@host/a.git"}, exitUsage, "--data"},
		{[]string{"version", "--log-format", "redis://host?password=" + secret}, exitUsage, "--log-format"},
		{[]string{"version", "--no-such=https://u:" + secret + "@host"}, exitUsage, "--no-such"},
		{[]string{"smoke", "--url", "ftp://u:" + secret + "@host"}, exitUsage, "ftp://"},
		{[]string{"smoke", "--url", "http://u:" + secret + "@127.0.0.1:1/?key=" + secret, "--no-canary"}, exitFailed, " failed: "},
		{[]string{"publish", "--data-dir", dir, "--redis", "redis://127.0.0.1:1/?password=" + secret, "--dataset", "flights", "https://u:" + secret + "@host/a.csv"}, -1, ""},
		{[]string{"trace", "--data-dir", dir, "--redis", "redis://:" + secret + "@127.0.0.1:1", "flights", "x"}, -1, ""},
		{[]string{"up", "--data-dir", dir, "--spool-bytes", "https://" + secret + "@host"}, exitUsage, "--spool-bytes"},
	} {
		code, out, errs := command(t, "", c.args...)
		if strings.Contains(out+errs, secret) {
			t.Errorf("%q shows it: %s%s", c.args, out, errs)
		}
		if c.want >= 0 && code != c.want || code == 0 || !strings.Contains(errs, c.says) {
			t.Errorf("%q: exit %d, want %d with %q: %s", c.args, code, c.want, c.says, errs)
		}
	}
}

// The log shows none either, in no format.
func TestSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json", "cloud"} {
		var out bytes.Buffer
		log := (&Globals{LogLevel: "info", LogFormat: format}).logger(&streams{err: &out})
		log.Warn("not sent to https://u:hunter2@host/v1", slog.Any("error", errors.New(`Post "https://host/v1?key=hunter2": refused`)),
			slog.Group("at", slog.String("warehouse", "md:db?motherduck_token=hunter2")))
		if text := out.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "refused") {
			t.Errorf("%s: %s", format, text)
		}
	}
}

func TestByteSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]byteSize{"4GB": 4e9, "512 MB": 512e6, "1.5GiB": 3 << 29, "2KiB": 2048, "": -1, "4": -1, "-1GB": -1, "0GB": -1, "9999999TB": -1, "GB": -1} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}
