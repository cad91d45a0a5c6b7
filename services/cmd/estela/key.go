package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/fault"
)

type keyCmd struct {
	New    keyNewCmd    `cmd:"" help:"Create an API key: prints the key to standard output, and its entry for --keys to standard error, or appends it there."`
	List   keyListCmd   `cmd:"" help:"List the API keys of a file: names, rights and expiry."`
	Revoke keyRevokeCmd `cmd:"" help:"Remove an API key from its file; a running API rejects it within a second."`
}

type keyNewCmd struct {
	Name    string   `arg:"" help:"Name of its owner, for the log."`
	Read    []string `help:"Datasets that it may read, with commas between them; may be given several times. Default: all, none with --write." placeholder:"NAME" aliases:"dataset" env:"ESTELA_READ,ESTELA_DATASET" complete:"dataset"`
	Write   []string `help:"Datasets that it may write to, by POST of events. Default: none; a key for writing alone reads nothing." placeholder:"NAME" complete:"dataset"`
	Inspect bool     `help:"May look at the whole warehouse on the pages: rows, rejects and any SQL of every dataset, and the pipeline's state."`
	Rate    int      `name:"rate-limit" env:"-" help:"Most requests a second. Default: that of the API."`
	Expires string   `help:"When it becomes invalid: a duration such as 30d or 12h, a date (its beginning, UTC) or a time (RFC 3339). Default: never." placeholder:"WHEN"`
	Append  bool     `help:"Append the entry to the file of --keys, which is created if there is none."`
	Keys    string   `help:"File of API keys." placeholder:"FILE"`
}

// Run is 'estela key new'. Standard output has only the key, so that it can be piped
// without being shown.
func (c *keyNewCmd) Run(g *Globals, s *streams) error {
	if c.Append && c.Keys == "" {
		return fault.Usagef("--append needs the file of API keys: give --keys FILE")
	}
	datasets := c.Read
	if len(datasets) == 0 && len(c.Write) == 0 {
		datasets = []string{"*"}
	}
	for _, name := range slices.Concat(c.Read, c.Write) {
		if _, err := g.pick(name); err != nil {
			return err
		}
	}
	secret, key := access.NewKey(c.Name, datasets, c.Write...)
	key.Rate, key.Inspect = c.Rate, c.Inspect
	var err error
	if key.Expires, err = expiry(c.Expires, time.Now()); err != nil {
		return err
	}
	stored, err := json.Marshal(key)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	if _, err := access.ParseKeys([]byte("[" + string(stored) + "]")); err != nil {
		return fault.Usage(err)
	}
	if c.Append {
		if err := access.AppendKey(c.Keys, key); err != nil {
			return fault.Usage(err)
		}
		say(s.err, "%s is in %s, which a running API reads within a second.\nThe key, which is not shown again:", c.Name, c.Keys)
		say(s.out, "%s", secret)
		return nil
	}
	say(s.err, "Add this to the JSON array in the file of --keys, which is reloaded within a second:\n%s\nThe key, which is not shown again:", stored)
	say(s.out, "%s", secret)
	return nil
}

// expiry parses when something ends, nil for never. It must be in the future.
func expiry(text string, now time.Time) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		at, err = time.Parse(time.RFC3339, text)
	}
	if err != nil {
		var d time.Duration
		d, err = contract.ParseDuration(text)
		at = now.Add(d)
	}
	if err != nil {
		return nil, fault.Usagef("--expires %q is no duration (30d, 12h), date (2027-01-31) or time (2027-01-31T12:00:00Z)", text)
	}
	if at = at.UTC().Truncate(time.Second); !at.After(now) {
		return nil, fault.Usagef("--expires %s is in the past: the key would never be valid", text)
	}
	return &at, nil
}

// keyFlag is the file of commands that work on one.
type keyFlag struct {
	Keys string `help:"File of API keys." placeholder:"FILE" required:""`
}

type keyListCmd struct {
	keyFlag
	jsonFlag
}

// keyRow is a key as it is listed: of its hash no more than tells it from others.
type keyRow struct {
	Name    string     `json:"name"`
	State   string     `json:"state"` // valid or expired
	Read    []string   `json:"read"`
	Write   []string   `json:"write"`
	Inspect bool       `json:"inspect,omitempty"`
	Rate    int        `json:"rate,omitempty"`
	Expires *time.Time `json:"expires"`
	Hash    string     `json:"hash"`
}

// Run is 'estela key list'.
func (c *keyListCmd) Run(s *streams) error {
	text, err := os.ReadFile(c.Keys)
	if err != nil {
		return fault.Usagef("read API keys: %w; 'estela key new NAME --append' creates the file", err)
	}
	keys, err := access.ParseKeys(text)
	if err != nil {
		return fault.Usagef("read API keys of %s: %w", c.Keys, err)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if !c.JSON {
		say(w, "NAME\tSTATE\tREAD\tWRITE\tINSPECT\tRATE\tEXPIRES\tHASH")
	}
	for _, k := range keys {
		row := keyRow{k.Name, "valid", append([]string{}, k.Datasets...), append([]string{}, k.Write...), k.Inspect, k.Rate, k.Expires, k.SHA256[:8] + "…"}
		if k.Expired(time.Now()) {
			row.State = "expired"
		}
		c.say(w, row, "%s\t%s\t%s\t%s\t%t\t%s\t%s\t%s", row.Name, row.State, listed(row.Read), listed(row.Write), row.Inspect, rateText(k.Rate), expiryText(k.Expires), row.Hash)
	}
	return w.Flush()
}

// listed formats datasets for a table.
func listed(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}

func rateText(rate int) string {
	if rate == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/s", rate)
}

func expiryText(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}

// keyNames returns the names of keys.
func keyNames(all []access.Key) []string {
	names := make([]string, len(all))
	for i, k := range all {
		names[i] = k.Name
	}
	return names
}

type keyRevokeCmd struct {
	keyFlag

	Name string `arg:"" help:"Name of the key." complete:"key"`
}

// Run is 'estela key revoke'.
func (c *keyRevokeCmd) Run(s *streams) error {
	if err := access.RevokeKey(c.Keys, c.Name); err != nil {
		return fault.Usage(err)
	}
	say(s.err, "%s is no longer in %s, which a running API reads within a second.", c.Name, c.Keys)
	return nil
}
