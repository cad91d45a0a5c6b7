package stack_test

import (
	"strings"
	"testing"

	"github.com/estela-dev/estela/infra/stack"
)

// Everything that is wrong is told, at once and with the key.
func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	app, foundation := committed(t, "staging"), committed(t, "foundation")
	for says, values := range map[string]map[string]string{
		"gcp:project \"\"":                         with(app, "gcp:project", ""),
		"gcp:region \"Chile\"":                     with(app, "gcp:region", "Chile"),
		"estela:kind \"apps\": want foundation":    with(app, "estela:kind", "apps"),
		"estela:warhouse is no key; there are":     with(app, "estela:warhouse", "md:x"),
		"want an image by its digest":              with(app, "estela:image", "estela:latest"),
		"estela:candidate without estela:image":    with(app, "estela:candidate", imageA),
		"estela:candidate serves already":          with(app, "estela:image", imageA, "estela:candidate", imageA),
		"estela:warehouse \"file.duckdb\"":         with(app, "estela:warehouse", "file.duckdb"),
		"estela:fleet: \"A\": want 3 to 20":        with(app, "estela:fleet", `["A"]`),
		"estela:fleet names \"lima\" twice":        with(app, "estela:fleet", `["lima","lima"]`),
		"estela:fleet: want a list":                with(app, "estela:fleet", "lima"),
		"estela:replicas: want a whole number":     with(app, "estela:replicas", "many"),
		"estela:replicas 9: want 0 to 5":           with(app, "estela:replicas", "9"),
		"estela:workers 0: want 1 to 20":           with(app, "estela:workers", "0"),
		"estela:maxInstances 0":                    with(app, "estela:maxInstances", "0"),
		"estela:public: want true or false":        with(app, "estela:public", "maybe"),
		"estela:invokers contradict":               with(app, "estela:invokers", `["user:a@example.com"]`),
		"estela:invokers: \"allUsers\"":            with(app, "estela:public", "", "estela:invokers", `["allUsers"]`),
		"estela:nodeType \"BIG\": want one of":     with(app, "estela:nodeType", "BIG"),
		"estela:ingest: want true or false":        with(app, "estela:ingest", "maybe"),
		"estela:ingestImage \"estela:latest\"":     with(app, "estela:ingestImage", "estela:latest"),
		"estela:ingestInstances 0: want 1 to 100":  with(app, "estela:ingestInstances", "0"),
		"estela:ingestConcurrency 1: want 2":       with(app, "estela:ingestConcurrency", "1"),
		"estela:canary \"hourly\"":                 with(app, "estela:canary", "hourly"),
		"estela:alertEmails: \"nobody\"":           with(app, "estela:alertEmails", `["nobody"]`),
		"estela:repository \"estela\": want OWNER": with(foundation, "estela:repository", "estela"),
		"estela:repositoryId 0: want the":          with(foundation, "estela:repositoryId", ""),
		"estela:environments: name the GitHub":     with(foundation, "estela:environments", "[]"),
		"no name of an environment":                with(foundation, "estela:environments", `["a b"]`),
		"may deploy as well":                       with(foundation, "estela:previewFrom", "staging"),
		"estela:billingAccount \"1\"":              with(foundation, "estela:billingAccount", "1"),
		"estela:budget needs":                      with(foundation, "estela:billingAccount", ""),
		"estela:budget: say how much":              with(foundation, "estela:budget", ""),
	} {
		if _, err := stack.Parse(values, "test"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %s: %v", says, err)
		}
	}
	_, err := stack.Parse(with(app, "estela:workers", "0", "gcp:region", "", "estela:nope", "1"), "test")
	for _, says := range []string{"stack test", "estela:workers", "gcp:region", "estela:nope"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("of several mistakes %s is not told: %v", says, err)
		}
	}
}

// A secret in config is refused by its name or its looks, and not repeated.
func TestSecretsAreRefused(t *testing.T) {
	t.Parallel()
	app := committed(t, "staging")
	for key, value := range map[string]string{
		"estela:motherduckToken": "hunter2-hunter2",
		"estela:redisPassword":   "hunter2-hunter2",
		"estela:warehouse":       "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.hunter2-hunter2",
		"gcp:accessToken":        "hunter2-hunter2",
		"gcp:credentials":        "hunter2-hunter2",
		"estela:image":           "estela_C67O4NL7OGUA5CIEZQSM4QDASC",
		"estela:repository":      "-----BEGIN RSA PRIVATE KEY-----hunter2-hunter2",
	} {
		_, err := stack.Parse(with(app, key, value), "test")
		if err == nil || !strings.Contains(err.Error(), "config is no place for one") || strings.Contains(err.Error(), value) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	values, err := stack.Values(`{"estela:kind":"app"}`)
	if err != nil || values["estela:kind"] != "app" {
		t.Errorf("%v, %v", values, err)
	}
	if values, err := stack.Values(""); err != nil || len(values) != 0 {
		t.Errorf("%v, %v", values, err)
	}
	if _, err := stack.Values("no JSON"); err == nil {
		t.Error("what is no JSON is taken")
	}
}
