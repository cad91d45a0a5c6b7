package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// examples are command lines by command; the help of a command begins with its own, that of a group
// with those of its commands.
var examples = map[string]string{
	"init":              "estela init departures.csv.gz",
	"up":                "estela up --data data --watch",
	"worker":            "estela worker --redis rediss://redis.example:6379 --warehouse md:events",
	"api":               "estela api --warehouse md:events --listen 0.0.0.0:8080 --keys keys.json",
	"ingest":            "estela ingest --redis rediss://redis.example:6379 --listen 0.0.0.0:8081 --keys keys.json",
	"publish":           "estela publish flights departures.csv.gz --wait-stored",
	"locate":            "estela locate 1526919030474-55",
	"rejects list":      "estela rejects list flights --limit 10 --json",
	"rejects show":      "estela rejects show flights 0/1526919030474-55/0",
	"rejects replay":    "estela rejects replay flights",
	"rejects purge":     "estela rejects purge flights --older-than 720h --yes",
	"replay":            "estela replay flights",
	"backfill":          "estela backfill flights departures.parquet --errors invalid.ndjson",
	"doctor":            "estela doctor --redis redis://localhost:6379",
	"smoke":             "estela smoke --url http://127.0.0.1:8080 --no-canary",
	"contract check":    "estela contract check --data data --against main",
	"contract accept":   "estela contract accept flights --data data",
	"contract validate": "estela contract validate data/flights/contract.json events.ndjson",
	"warehouse claim":   "estela warehouse claim flights --warehouse md:events --redis redis://localhost:6379",
	"endpoint list":     "estela endpoint list --data data",
	"endpoint new":      "estela endpoint new newest --data data --dataset flights",
	"endpoint check":    "estela endpoint check --data data",
	"endpoint test":     "estela endpoint test flights/delays --data data",
	"endpoint run":      "estela endpoint run delays --param width=60 --sample",
	"client":            "estela client flights --lang typescript -o client.ts",
	"mcp":               "estela mcp --api https://api.example",
	"key new":           "estela key new partner --read flights --expires 30d --append --keys keys.json",
	"key list":          "estela key list --keys keys.json",
	"key revoke":        "estela key revoke partner --keys keys.json",
	"token new":         "estela token new --endpoint flights/departures --pin airport=ATL --ttl 1h --subject customer-42 --signing-key signing-key.json",
	"token key new":     "estela token key new --signing-key signing-key.json --token-keys token-keys.json",
	"completion":        "estela completion bash > ~/.local/share/bash-completion/completions/estela",
	"version":           "estela version --json",
}

// commandName returns the command's name with that of its group, without that of the program.
func commandName(n *kong.Node) string { return strings.TrimPrefix(n.FullPath(), "estela ") }

// examplesOf returns the examples with which the help of a command begins.
func examplesOf(n *kong.Node) []string {
	if n.Type == kong.ApplicationNode {
		return []string{examples["up"], examples["publish"]}
	}
	var all []string
	if example, ok := examples[commandName(n)]; ok {
		all = append(all, example)
	}
	for _, c := range n.Children {
		if !c.Hidden {
			all = append(all, examplesOf(c)...)
		}
	}
	return all
}

// help prints a command's examples, its own flags and the names of the global ones.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	node := ctx.Selected()
	if node == nil {
		node = ctx.Model.Node
	}
	if lines := examplesOf(node); len(lines) > 0 { // a former name has none
		say(ctx.Stdout, "Example:\n  %s\n", strings.Join(lines, "\n  "))
	}
	if ctx.Selected() == nil {
		return kong.DefaultHelpPrinter(options, ctx)
	}
	var shared []string
	for _, f := range ctx.Model.Flags {
		if f.Name != "help" {
			f.Hidden = true
			shared = append(shared, "--"+f.Name)
		}
	}
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintf(ctx.Stdout, "\nFlags of every command, explained by \"estela --help\":\n  %s\n", strings.Join(shared, " "))
	return err
}
