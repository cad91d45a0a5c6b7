package api_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// setupTwo serves the datasets red and blue, with keys for each and for both.
func setupTwo(t *testing.T, change ...func(*api.Config)) (instance, *access.Keys, map[string]string, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.json")
	secrets := keyFile(t, file,
		access.Key{Name: "all", Datasets: []string{"*"}}, access.Key{Name: "red", Datasets: []string{"red"}}, access.Key{Name: "none", Datasets: []string{"green"}})
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	var datasets []endpoint.Dataset
	for _, name := range []string{"red", "blue"} {
		e, err := endpoint.Parse(name+"_things.sql", "-- Things that are "+name+".\nSELECT 1 AS "+name+"_column")
		if err != nil {
			t.Fatal(err)
		}
		datasets = append(datasets, endpoint.Dataset{Name: name, Description: "All that is " + name + ".", Endpoints: []endpoint.Endpoint{e}})
	}
	i := setup(t, "SELECT 1", nil, append(change, func(cfg *api.Config) { cfg.Datasets, cfg.Access = datasets, &access.Authenticator{Keys: keys} })...)
	if err := i.api.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	return i, keys, secrets, file
}

// No answer to a key names anything that it may not read.
func TestKeysSeeWhatTheyOpen(t *testing.T) {
	t.Parallel()
	i, _, secrets, _ := setupTwo(t)
	for _, path := range []string{
		"/v1", "/openapi.json", "/v1/red/red_thing", "/v1/blue/blue_thing", "/v1/blue/blue_things", "/v1/blue/", "/v1/blue", "/v1/none/blue_things",
		"/v1/red/blue_things", "/", "/docs", "/docs/blue/x", "/docs/problems", "/datasets/blue", "/v1/blue/x?format=csv", "/v1/red/red_things?blu=1",
	} {
		for name, secret := range secrets {
			status, _, body := i.body(t, path, "Authorization", "Bearer "+secret)
			asked, _, _ := strings.Cut(strings.TrimSuffix(path, "/"), "?")
			text := strings.ReplaceAll(string(body), asked, "") // it is known to who asked
			if name != "all" && strings.Contains(text, "blue") || name == "none" && strings.Contains(text, "red_") {
				t.Errorf("%s for the key %s: %d %s", path, name, status, body)
			}
		}
	}
	for path, want := range map[string]string{"/v1": "red_things", "/openapi.json": "red_column", "/v1/red/red_thing": "/v1/red/red_things"} {
		if _, _, body := i.body(t, path, "Authorization", "Bearer "+secrets["red"]); !strings.Contains(string(body), want) {
			t.Errorf("%s has no %s: %s", path, want, body)
		}
		if _, _, body := i.body(t, path, "Authorization", "Bearer "+secrets["all"]); !strings.Contains(string(body), want) {
			t.Errorf("%s for all has no %s: %s", path, want, body)
		}
	}
	// A key gets the same answer for what it may not read as for what does not exist.
	there, _, _ := i.body(t, "/v1/blue/blue_things", "Authorization", "Bearer "+secrets["red"])
	nowhere, _, _ := i.body(t, "/v1/grey/grey_things", "Authorization", "Bearer "+secrets["red"])
	if there != http.StatusForbidden || nowhere != there {
		t.Errorf("there: %d, nowhere: %d", there, nowhere)
	}
}

// The documentation accepts a key from a browser's login dialog, and is rate limited.
func TestDocsFollowTheKeys(t *testing.T) {
	t.Parallel()
	i, _, secrets, _ := setupTwo(t, func(cfg *api.Config) { cfg.Rate = 20 })
	paths := []string{"/", "/docs", "/docs/", "/docs/red/red_things", "/docs/problems", "/docs/problems/internal", "/datasets/red", "/sql", "/live", "/openapi.json"}
	password := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+secrets["red"]))
	for _, path := range paths {
		for authorization, want := range map[string]int{"": 401, "Basic !": 401, "Basic " + secrets["red"]: 401, "Bearer estela_x": 401, password: 200} {
			status, header, body := i.body(t, path, "Authorization", authorization)
			if status != want || status == 401 && !strings.HasPrefix(header.Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("%s with %.9s…: %d %v %.100s", path, authorization, status, header, body)
			}
			if kept := header.Get("Cache-Control"); status == 200 && kept != "no-store" && !strings.HasPrefix(kept, "private") {
				t.Errorf("%s: %v", path, header)
			}
		}
	}
	if status, _, body := i.body(t, "/livez"); status != http.StatusOK || string(body) != "ok\n" {
		t.Errorf("a probe without a key: %d %s", status, body)
	}
	for site, want := range map[string]int{"same-origin": http.StatusOK, "cross-site": http.StatusUnauthorized} {
		if status, _, _ := i.body(t, "/v1/red/red_things", "Authorization", password, "Sec-Fetch-Site", site); status != want {
			t.Errorf("a browser's password for data, %s: %d", site, status)
		}
	}
	limited := 0
	for range 30 {
		if status, _, _ := i.body(t, "/docs", "Authorization", "Bearer "+secrets["red"]); status == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited == 0 {
		t.Error("nobody is told to wait")
	}
}

// While the key file is missing, every key is rejected.
func TestKeysFileThatIsGone(t *testing.T) {
	t.Parallel()
	i, keys, secrets, file := setupTwo(t)
	ask := func(name string) int {
		status, _, _ := i.body(t, "/v1/red/red_things", "Authorization", "Bearer "+secrets[name])
		return status
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := keys.Reload(); err == nil || !strings.Contains(err.Error(), "every key is rejected") {
		t.Errorf("%v", err)
	}
	if status := ask("all"); status != http.StatusServiceUnavailable {
		t.Errorf("without the file: %d", status)
	}
	if status, _, _ := i.body(t, "/v1"); status != http.StatusUnauthorized {
		t.Errorf("without file and key: %d", status)
	}
	if log := i.log.String(); strings.Contains(log, "request failed") {
		t.Errorf("each request is logged: %s", log)
	}
	writeFile(t, file, text)
	if err := keys.Reload(); err != nil || ask("all") != http.StatusOK {
		t.Errorf("with the file again: %v, %d", err, ask("all"))
	}
	writeFile(t, file, []byte("[]"))
	if err := keys.Reload(); err != nil || ask("all") != http.StatusUnauthorized {
		t.Errorf("with nobody in it: %v, %d", err, ask("all"))
	}
}

// A key file of the same size and time is reloaded.
func TestKeysFileOfTheSameTime(t *testing.T) {
	t.Parallel()
	i, keys, secrets, file := setupTwo(t)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	other := keyFile(t, file,
		access.Key{Name: "all", Datasets: []string{"*"}}, access.Key{Name: "red", Datasets: []string{"red"}}, access.Key{Name: "none", Datasets: []string{"green"}})
	if err := os.Chtimes(file, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if now, err := os.Stat(file); err != nil || now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime()) {
		t.Fatalf("the test's file is another: %v, %v", now, err)
	}
	if err := keys.Reload(); err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]int{secrets["all"]: http.StatusUnauthorized, other["all"]: http.StatusOK} {
		if status, _, _ := i.body(t, "/v1", "Authorization", "Bearer "+secret); status != want {
			t.Errorf("%d, want %d", status, want)
		}
	}
}

// A key file must be one array of keys.
func TestKeysAreAllOfTheFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"[] []", "[]x", "[]]", "[] // nobody", "null", "[]\n{}"} {
		if keys, err := access.ParseKeys([]byte(text)); err == nil {
			t.Errorf("%s: %v", text, keys)
		}
	}
	if keys, err := access.ParseKeys([]byte(" [] \n")); err != nil || len(keys) != 0 {
		t.Error(fmt.Sprint(keys, err))
	}
}
