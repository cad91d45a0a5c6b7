package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/fault"
)

type keyCmd struct {
	New keyNewCmd `cmd:"" help:"Create an API key: prints the key to standard output, and its entry for --keys to standard error, or appends it there."`
}

type keyNewCmd struct {
	Name    string   `arg:"" help:"Name of its owner, for the log."`
	Dataset []string `help:"Dataset that it may read; may be given several times. Default: all, none with --write." placeholder:"NAME"`
	Write   []string `help:"Dataset that it may write to, by POST of events; may be given several times. Default: none; without --dataset such a key reads nothing." placeholder:"NAME"`
	Append  bool     `help:"Append the entry to the file of --keys, which is created if there is none."`
	Keys    string   `help:"File of API keys." placeholder:"FILE"`
}

// Run is 'estela key new'. Standard output has only the key, so that it can be piped
// without being shown.
func (c *keyNewCmd) Run(g *Globals, s *streams) error {
	if c.Append && c.Keys == "" {
		return fault.Usagef("--append needs the file of API keys: give --keys FILE")
	}
	datasets := c.Dataset
	if len(datasets) == 0 && len(c.Write) == 0 {
		datasets = []string{"*"}
	}
	for _, name := range slices.Concat(c.Dataset, c.Write) {
		if _, err := g.pick(name); err != nil {
			return err
		}
	}
	secret, key := api.NewKey(c.Name, datasets, c.Write...)
	stored, err := json.Marshal(key)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	if _, err := api.ParseKeys([]byte("[" + string(stored) + "]")); err != nil {
		return fault.Usage(err)
	}
	if c.Append {
		if err := api.AppendKey(c.Keys, key); err != nil {
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
