package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/access"
)

func TestKeyListAndRevoke(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	for _, args := range [][]string{
		{"partner", "--read", "flights,canary", "--expires", "30d", "--rate-limit", "5"},
		{"sensor", "--write", "flights"},
		{"former", "--dataset", "flights", "--dataset", "canary", "--expires", "2999-01-31"},
		{"all"},
		{"looks", "--inspect"},
	} {
		if code, _, errs := command(t, "", append(append([]string{"key", "new"}, args...), "--append", "--keys", file)...); code != 0 {
			t.Fatalf("%v: %d %s", args, code, errs)
		}
	}
	code, out, errs := command(t, "", "key", "list", "--keys", file, "--json")
	rows := map[string]keyRow{}
	for line := range strings.Lines(out) {
		var row keyRow
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		rows[row.Name] = row
	}
	if partner := rows["partner"]; code != 0 || len(rows) != 5 || strings.Join(partner.Read, " ") != "flights canary" || len(partner.Write) != 0 || partner.Rate != 5 || partner.Expires == nil || time.Until(*partner.Expires).Round(time.Hour) != 720*time.Hour {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if sensor := rows["sensor"]; len(sensor.Read) != 0 || strings.Join(sensor.Write, " ") != "flights" || sensor.State != "valid" || len(sensor.Hash) > 12 {
		t.Errorf("%+v", sensor)
	}
	if strings.Join(rows["former"].Read, " ") != "flights canary" || !rows["former"].Expires.Equal(time.Date(2999, 1, 31, 0, 0, 0, 0, time.UTC)) || strings.Join(rows["all"].Read, " ") != "*" {
		t.Errorf("%+v", rows)
	}
	if !rows["looks"].Inspect || rows["all"].Inspect || rows["partner"].Inspect || strings.Join(rows["looks"].Read, " ") != "*" {
		t.Errorf("%+v", rows)
	}
	if _, table, _ := command(t, "", "key", "list", "--keys", file); !regexp.MustCompile(`(?m)^NAME +STATE +READ +WRITE +INSPECT +RATE +EXPIRES +HASH$`).MatchString(table) || !regexp.MustCompile(`(?m)^looks +valid +\* +- +true `).MatchString(table) || !regexp.MustCompile(`(?m)^all +valid +\* +- +false `).MatchString(table) {
		t.Error(table)
	}
	if code, out, errs = command(t, "", "key", "revoke", "partner", "--keys", file); code != 0 || out != "" {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if _, out, _ = command(t, "", "key", "list", "--keys", file); strings.Contains(out, "partner") || !strings.HasPrefix(out, "NAME ") || !strings.Contains(out, "never") {
		t.Errorf("%s", out)
	}
	if code, out, _ = command(t, "", "__complete", "key", "revoke", "--keys", file, "s"); code != 0 || out != "sensor\t\n" {
		t.Errorf("%d %q", code, out)
	}
	for _, c := range []struct {
		says string
		args []string
	}{
		{`no key has that name (did you mean "sensor"?)`, []string{"key", "revoke", "senso", "--keys", file}},
		{"is in the past", []string{"key", "new", "x", "--expires", "2020-01-31"}},
		{"is in the past", []string{"key", "new", "x", "--expires=-1h"}},
		{"is no duration", []string{"key", "new", "x", "--expires", "soon"}},
		{"creates the file", []string{"key", "list", "--keys", file + "x"}},
		{"--keys", []string{"key", "list"}},
		{`datasets must be ["*"]`, []string{"key", "new", "x", "--inspect", "--read", "flights"}},
		{`datasets must be ["*"]`, []string{"key", "new", "x", "--inspect", "--write", "flights"}},
	} {
		if code, _, errs := command(t, "", c.args...); code != 2 || !strings.Contains(errs, c.says) {
			t.Errorf("%v: %d %s", c.args, code, errs)
		}
	}
}

// What 'token key new' and 'token new' write is what an API verifies.
func TestTokenNew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	set := filepath.Join(dir, "token-keys.json")
	for _, alg := range []string{"EdDSA", "HS256"} {
		file := filepath.Join(dir, alg+".json")
		code, out, errs := command(t, "", "token", "key", "new", "--alg", alg, "--signing-key", file, "--token-keys", set)
		if code != 0 || out != "" {
			t.Fatalf("%d %s %s", code, out, errs)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		code, out, errs = command(t, "", "token", "new", "--endpoint", "flights/departures", "--pin", "airport=ATL", "--subject", "customer-42", "--signing-key", file)
		if code != 0 || errs != "" {
			t.Fatalf("%d %s", code, errs)
		}
		tokens, err := access.LoadTokens(set, access.DefaultAudience)
		if err != nil {
			t.Fatal(err)
		}
		g, err := (&access.Authenticator{Tokens: tokens}).Authenticate([]byte(strings.TrimSpace(out)), time.Now())
		if err != nil || g.Subject != "token:customer-42" || g.Pins().Values()["airport"] != "ATL" || !g.Opens("flights/departures", nil) || time.Until(g.Expires) > time.Hour {
			t.Errorf("%v %+v", err, g)
		}
	}
	signing := filepath.Join(dir, "EdDSA.json")
	text, err := os.ReadFile(signing)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.json")
	if code, out, errs := command(t, "", "token", "key", "new", "--kid", "mine", "--signing-key", other); code != 0 || !strings.Contains(out, `"kid":"mine"`) || strings.Contains(out, `"d"`) || !strings.Contains(errs, "--token-keys") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	base := []string{"token", "new", "--subject", "x", "--signing-key", signing}
	for _, c := range []struct {
		says string
		args []string
	}{
		{`did you mean "flights/departures"?`, append(base, "--endpoint", "flights/departure")},
		{"DATASET/NAME", append(base, "--endpoint", "departures")},
		{"it has no parameter city", append(base, "--endpoint", "flights/departures", "--pin", "city=ATL")},
		{"must match", append(base, "--endpoint", "flights/departures", "--pin", "airport=atlanta")},
		{"--ttl 25h0m0s: a token is valid for 24h at most", append(base, "--endpoint", "flights/departures", "--ttl", "25h")},
		{"--ttl -1h0m0s", append(base, "--endpoint", "flights/departures", "--ttl=-1h")},
		{"--data", append(base, "--endpoint", "readings/warmest")},
		{"is there already", []string{"token", "key", "new", "--signing-key", signing}},
		{"the kid mine is taken", []string{"token", "key", "new", "--kid", "mine", "--signing-key", filepath.Join(dir, "twice.json"), "--token-keys", writeFile(t, filepath.Join(dir, "set.json"), `{"keys":[{"kid":"mine","kty":"oct","k":"`+strings.Repeat("A", 43)+`"}]}`)}},
		{"estela token key new", []string{"up", "--token-keys", "/nowhere", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir()}},
		{"contradict", []string{"up", "--token-keys", set, "--anonymous", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir()}},
	} {
		if code, _, errs := command(t, "", c.args...); code != 2 || !strings.Contains(errs, c.says) || strings.Contains(errs, string(text)) {
			t.Errorf("%v: %d %s", c.args, code, errs)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "twice.json")); err == nil {
		t.Error("a key is left that no API knows")
	}
}
