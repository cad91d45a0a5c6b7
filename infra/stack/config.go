package stack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The kinds of stacks.
const (
	Foundation = "foundation"
	App        = "app"
)

// Config is a stack's config. The keys are documented in Pulumi.<stack>.yaml; here is
// what they must be.
type Config struct {
	Project string `json:"-"` // gcp:project
	Region  string `json:"-"` // gcp:region

	Kind string `json:"kind"`

	// Of a foundation.
	Repository     string   `json:"repository"`     // OWNER/NAME on GitHub
	RepositoryID   int      `json:"repositoryId"`   // its number there, which nobody else gets
	Environments   []string `json:"environments"`   // GitHub Environments that may deploy
	PreviewFrom    string   `json:"previewFrom"`    // the GitHub Environment that may look
	BillingAccount string   `json:"billingAccount"` // empty: no budget
	Budget         int      `json:"budget"`         // a month, in the account's currency

	// Of an app.
	Image     string `json:"image"`
	Candidate string `json:"candidate"`
	Previous  string `json:"previous"`
	// IngestImage is that of the service that takes events by POST; empty: Image.
	IngestImage string `json:"ingestImage"`

	Fleet        []string `json:"fleet"`     // names of systems; empty: one, named as the stack
	Warehouse    string   `json:"warehouse"` // of one system md:NAME, of a fleet its beginning
	Public       bool     `json:"public"`    // without Cloud Run's own check of the caller; keys are needed all the same
	Invokers     []string `json:"invokers"`  // who may call if it is not public
	NodeType     string   `json:"nodeType"`
	Replicas     int      `json:"replicas"`
	Workers      int      `json:"workers"`
	MaxInstances int      `json:"maxInstances"`
	Ingest       bool     `json:"ingest"` // whether events are taken by POST
	JWKS         bool     `json:"jwks"`   // whether the API takes signed tokens
	Canary       string   `json:"canary"` // schedule, in cron's form
	Protect      bool     `json:"protect"`

	// Of the service that takes events by POST: most instances, and requests of one at once.
	IngestInstances   int `json:"ingestInstances"`
	IngestConcurrency int `json:"ingestConcurrency"`

	// Of both.
	AlertEmails []string `json:"alertEmails"`
}

func defaults() Config {
	return Config{
		NodeType: "SHARED_CORE_NANO", Workers: 1, MaxInstances: 4, Canary: "*/5 * * * *", Protect: true,
		IngestInstances: 4, IngestConcurrency: 100,
	}
}

// Values are the config values of a Pulumi program from the environment variable
// PULUMI_CONFIG.
func Values(text string) (map[string]string, error) {
	values := map[string]string{}
	if text == "" {
		return values, nil
	}
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return values, nil
}

// Parse reads a config and reports everything that is wrong with it at once.
func Parse(values map[string]string, stack string) (Config, error) {
	cfg := defaults()
	cfg.Project, cfg.Region = values["gcp:project"], values["gcp:region"]
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name, ours := strings.CutPrefix(key, "estela:")
		if !ours {
			if looksSecret(strings.TrimPrefix(key, "gcp:"), values[key]) {
				errs = append(errs, fmt.Errorf("%s is a credential, and config is no place for one: set GOOGLE_OAUTH_ACCESS_TOKEN", key))
			}
			continue
		}
		if looksSecret(name, values[key]) {
			errs = append(errs, fmt.Errorf("estela:%s looks like a secret, and config is no place for one: "+
				"remove it with `pulumi config rm %s`, exchange it, and put its value into Secret Manager (README.md)", name, name))
			continue
		}
		if err := cfg.set(name, values[key]); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(append(errs, cfg.check()...)...); err != nil {
		return Config{}, fmt.Errorf("config of stack %s:\n%w", stack, err)
	}
	return cfg, nil
}

// set reads one value: JSON, or else a text.
func (cfg *Config) set(name, value string) error {
	lists := []string{"environments", "fleet", "invokers", "alertEmails"}
	numbers := []string{"repositoryId", "budget", "replicas", "workers", "maxInstances", "ingestInstances", "ingestConcurrency"}
	switches := []string{"public", "protect", "ingest", "jwks"}
	raw := []byte(value)
	if !slices.Contains(lists, name) && !slices.Contains(numbers, name) && !slices.Contains(switches, name) {
		raw, _ = json.Marshal(value) // a string can always be marshalled
	}
	key, _ := json.Marshal(name)
	d := json.NewDecoder(bytes.NewReader(slices.Concat([]byte("{"), key, []byte(":"), raw, []byte("}"))))
	d.DisallowUnknownFields()
	err := d.Decode(cfg)
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "unknown field"):
		return fmt.Errorf("estela:%s is no key; there are %s", name, strings.Join(keys(), ", "))
	case slices.Contains(lists, name):
		return fmt.Errorf("estela:%s: want a list of texts", name)
	case slices.Contains(numbers, name):
		return fmt.Errorf("estela:%s: want a whole number", name)
	default:
		return fmt.Errorf("estela:%s: want true or false", name)
	}
}

// keys are the config's keys.
func keys() []string {
	text, _ := json.Marshal(Config{}) // plain data
	var all map[string]any
	_ = json.Unmarshal(text, &all) // of our own making
	return slices.Sorted(maps.Keys(all))
}

var (
	secretName  = regexp.MustCompile(`(?i)token|password|passphrase|secret|credential|apikey|privatekey`)
	secretValue = regexp.MustCompile(`^eyJ[A-Za-z0-9_-]{10,}\.|-----BEGIN [A-Z ]*PRIVATE|^estela_[A-Z2-7]{20,}|^ya29\.|^gh[pousr]_|"private_key"`)
)

func looksSecret(name, value string) bool {
	return secretName.MatchString(name) || secretValue.MatchString(value)
}

var (
	projectID  = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	regionName = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+$`)
	repository = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$`)
	githubName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	billingID  = regexp.MustCompile(`^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$`)
	systemName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,18}[a-z0-9]$`) // an account's name, of 30 letters, begins with it
	database   = regexp.MustCompile(`^md:[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	pinned     = regexp.MustCompile(`^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+(:[A-Za-z0-9._-]+)?@sha256:[0-9a-f]{64}$`)
	member     = regexp.MustCompile(`^(user|group|serviceAccount|domain):[^\s:]+$`)
	mail       = regexp.MustCompile(`^[^\s@]+@[^\s@]+\.[^\s@]+$`)
	cron       = regexp.MustCompile(`^[0-9*/,-]+( [0-9*/,-]+){4}$`)
)

// nodeTypes are Memorystore's. SHARED_CORE_NANO has no SLA: for stages other than
// production.
var nodeTypes = []string{"SHARED_CORE_NANO", "STANDARD_SMALL", "HIGHMEM_MEDIUM", "HIGHMEM_XLARGE"}

func (cfg *Config) check() (errs []error) {
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(!projectID.MatchString(cfg.Project), "gcp:project %q: want a project's ID: pulumi config set gcp:project ID", cfg.Project)
	bad(!regionName.MatchString(cfg.Region), "gcp:region %q: want a region such as southamerica-west1", cfg.Region)
	for _, address := range cfg.AlertEmails {
		bad(!mail.MatchString(address), "estela:alertEmails: %q is no address", address)
	}
	switch cfg.Kind {
	case Foundation:
		return append(errs, cfg.checkFoundation()...)
	case App:
		return append(errs, cfg.checkApp()...)
	default:
		return append(errs, fmt.Errorf("estela:kind %q: want %s or %s", cfg.Kind, Foundation, App))
	}
}

func (cfg *Config) checkFoundation() (errs []error) {
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(!repository.MatchString(cfg.Repository), "estela:repository %q: want OWNER/NAME as GitHub writes it", cfg.Repository)
	bad(cfg.RepositoryID <= 0, "estela:repositoryId %d: want the repository's number: gh api repos/%s --jq .id", cfg.RepositoryID, cfg.Repository)
	bad(len(cfg.Environments) == 0, "estela:environments: name the GitHub Environments that may deploy, such as staging and production")
	for _, e := range append(slices.Clone(cfg.Environments), cfg.PreviewFrom) {
		bad(e != "" && !githubName.MatchString(e), "estela:environments and previewFrom: %q is no name of an environment", e)
	}
	bad(slices.Contains(cfg.Environments, cfg.PreviewFrom), "estela:previewFrom %q may deploy as well; name another environment", cfg.PreviewFrom)
	bad(cfg.BillingAccount != "" && !billingID.MatchString(cfg.BillingAccount), "estela:billingAccount %q: want XXXXXX-XXXXXX-XXXXXX", cfg.BillingAccount)
	bad(cfg.BillingAccount != "" && cfg.Budget <= 0, "estela:budget: say how much a month may cost, in whole units of the account's currency")
	bad(cfg.BillingAccount == "" && cfg.Budget != 0, "estela:budget needs estela:billingAccount")
	return errs
}

func (cfg *Config) checkApp() (errs []error) {
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for name, image := range map[string]string{"image": cfg.Image, "candidate": cfg.Candidate, "previous": cfg.Previous, "ingestImage": cfg.IngestImage} {
		bad(image != "" && !pinned.MatchString(image), "estela:%s %q: want an image by its digest, HOST/NAME@sha256:…; a tag can change under us", name, image)
	}
	bad(cfg.Candidate != "" && cfg.Image == "", "estela:candidate without estela:image: there is nothing to serve meanwhile")
	bad(cfg.Candidate != "" && cfg.Candidate == cfg.Image, "estela:candidate serves already")
	for i, name := range cfg.Fleet {
		bad(!systemName.MatchString(name), "estela:fleet: %q: want 3 to 20 lower case letters, digits and -", name)
		bad(slices.Contains(cfg.Fleet[:i], name), "estela:fleet names %q twice", name)
	}
	bad(!database.MatchString(cfg.Warehouse), "estela:warehouse %q: want md:NAME, a MotherDuck database", cfg.Warehouse)
	for _, m := range cfg.Invokers {
		bad(!member.MatchString(m), "estela:invokers: %q: want user:…, group:…, serviceAccount:… or domain:…", m)
	}
	bad(cfg.Public && len(cfg.Invokers) > 0, "estela:public and estela:invokers contradict each other")
	bad(!slices.Contains(nodeTypes, cfg.NodeType), "estela:nodeType %q: want one of %s", cfg.NodeType, strings.Join(nodeTypes, ", "))
	bad(cfg.Replicas < 0 || cfg.Replicas > 5, "estela:replicas %d: want 0 to 5", cfg.Replicas)
	bad(cfg.Workers < 1 || cfg.Workers > 20, "estela:workers %d: want 1 to 20", cfg.Workers)
	bad(cfg.MaxInstances < 1 || cfg.MaxInstances > 100, "estela:maxInstances %d: want 1 to 100", cfg.MaxInstances)
	bad(cfg.IngestInstances < 1 || cfg.IngestInstances > 100, "estela:ingestInstances %d: want 1 to 100; for none, estela:ingest false", cfg.IngestInstances)
	// Each request has up to a megabyte of the container's two gigabytes.
	bad(cfg.IngestConcurrency < 2 || cfg.IngestConcurrency > 500, "estela:ingestConcurrency %d: want 2 to 500", cfg.IngestConcurrency)
	bad(!cron.MatchString(cfg.Canary), "estela:canary %q: want a schedule such as */5 * * * *", cfg.Canary)
	return errs
}
