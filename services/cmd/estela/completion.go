package main

import (
	"cmp"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/dataset"
)

//go:embed completion
var completionScripts embed.FS

type completionCmd struct {
	Shell string `arg:"" help:"Shell: ${enum}." enum:"bash,zsh,fish"`
}

// Run is 'estela completion'.
func (c *completionCmd) Run(s *streams) error {
	script, err := completionScripts.ReadFile("completion/estela." + c.Shell)
	if err != nil {
		return fmt.Errorf("read script: %w", err)
	}
	_, err = s.out.Write(script)
	return err
}

// completeCmd is what the scripts call: it prints what the last word may be, one a line, with its
// description after a tab. Nothing is printed where a file or free text is expected.
type completeCmd struct {
	Words []string `arg:"" optional:""`
}

// Run is 'estela __complete'.
func (c *completeCmd) Run(ctx *kong.Context, g *Globals, s *streams) error {
	for _, w := range complete(ctx.Model, c.Words, g.Data) {
		if _, err := fmt.Fprintf(s.out, "%s\t%s\n", w.text, w.help); err != nil {
			return err
		}
	}
	return nil
}

// word is what a word of a command line may be.
type word struct{ text, help string }

// typed is how far a command line that is being typed has come.
type typed struct {
	node *kong.Node
	args int        // positional arguments of the node
	flag *kong.Flag // whose value the next word is, nil without
	data []string   // of --data
	keys string     // of --keys
	// usage is true after --usage.
	usage bool
}

// complete returns what the last of the words may be. data are the folders of datasets where the
// words name none.
func complete(app *kong.Application, words, data []string) []word {
	words = joinAssignments(words)
	if len(words) == 0 {
		words = []string{""}
	}
	last := len(words) - 1
	at := typed{node: app.Node, keys: os.Getenv("ESTELA_KEYS")}
	for _, w := range words[:last] {
		at.read(w)
	}
	if at.data == nil {
		at.data = data
	}
	all := at.next(words[last])
	return slices.DeleteFunc(all, func(w word) bool { return !strings.HasPrefix(w.text, words[last]) })
}

// joinAssignments removes the = that bash makes a word of its own: --flag = value is --flag value.
func joinAssignments(words []string) (joined []string) {
	for i, w := range words {
		switch {
		case w != "=" || i == 0 || !strings.HasPrefix(words[i-1], "--"):
			joined = append(joined, w)
		case i == len(words)-1:
			joined = append(joined, "")
		}
	}
	return joined
}

// read reads a word that is complete.
func (t *typed) read(w string) {
	if t.flag != nil {
		t.set(t.flag, w)
		t.flag = nil
		return
	}
	if strings.HasPrefix(w, "-") {
		name, value, given := strings.Cut(w, "=")
		switch f := t.find(name); {
		case f == nil || f.IsBool():
			t.usage = t.usage || name == "--usage"
		case given:
			t.set(f, value)
		default:
			t.flag = f
		}
		return
	}
	for _, child := range t.node.Children {
		if child.Name == w || slices.Contains(child.Aliases, w) {
			t.node, t.args = child, 0
			return
		}
	}
	t.args++
}

// set takes the value of a flag by which others are completed.
func (t *typed) set(f *kong.Flag, value string) {
	if rest, ok := strings.CutPrefix(value, "~/"); ok { // the shell expands it only later
		if home, err := os.UserHomeDir(); err == nil {
			value = filepath.Join(home, rest)
		}
	}
	switch f.Name {
	case "data":
		t.data = append(t.data, value)
	case "keys":
		t.keys = value
	}
}

// find returns the flag of the name with its dashes, nil if there is none.
func (t *typed) find(name string) *kong.Flag {
	for _, f := range t.flags() {
		if "--"+f.Name == name || f.Short != 0 && "-"+string(f.Short) == name {
			return f
		}
	}
	return nil
}

func (t *typed) flags() []*kong.Flag { return slices.Concat(t.node.AllFlags(true)...) }

// next returns what may follow.
func (t *typed) next(last string) []word {
	if t.flag != nil {
		return t.values(t.flag.Value, "")
	}
	if name, _, given := strings.Cut(last, "="); given && strings.HasPrefix(name, "--") {
		if f := t.find(name); f != nil {
			return t.values(f.Value, name+"=")
		}
		return nil
	}
	var all []word
	if strings.HasPrefix(last, "-") {
		for _, f := range t.flags() {
			all = append(all, word{"--" + f.Name, f.Help})
		}
		return all
	}
	for _, child := range t.node.Children {
		if !child.Hidden {
			all = append(all, word{child.Name, child.Help})
		}
	}
	if at := t.node.Positional; len(at) > 0 {
		if i := min(t.args, len(at)-1); i == t.args || at[i].IsSlice() {
			all = append(all, t.values(at[i], "")...)
		}
	}
	return all
}

// values returns the values that are known of a flag or an argument, each behind the prefix.
func (t *typed) values(v *kong.Value, prefix string) (all []word) {
	for _, name := range t.names(v) {
		all = append(all, word{prefix + name, ""})
	}
	return all
}

// names returns the values that are known of a flag or an argument. The tag "complete" says whose names
// it takes, where its own name doesn't. What has an error is left out.
func (t *typed) names(v *kong.Value) []string {
	of := cmp.Or(v.Tag.Get("complete"), strings.TrimSuffix(v.Name, "s"))
	switch {
	case v.Enum != "":
		return v.EnumSlice()
	case of == "dataset":
		all, _ := dataset.Load(t.data, t.usage)
		return dataset.Names(all)
	case of == "endpoint":
		all, _ := dataset.Load(t.data, t.usage)
		return endpointNames(all)
	case of == "key":
		text, _ := os.ReadFile(t.keys)
		all, _ := access.ParseKeys(text)
		return keyNames(all)
	}
	return nil
}
