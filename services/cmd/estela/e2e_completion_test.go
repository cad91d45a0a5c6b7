package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// completions are what a shell is to offer for a line that ends where it is typed.
var completions = map[string]string{
	"estela endpoint li":                           "list",
	"estela endpoint run flights/dela":             "flights/delays",
	"estela --log-level error publish can":         "canary",
	"estela publish flights --format nd":           "ndjson",
	"estela publish flights --wait-st":             "--wait-stored",
	"estela publish flights --encoding utf-8 a_fi": "a_file.csv",
}

// TestE2ECompletion asks real shells; bash is always there, zsh and fish where they are installed.
func TestE2ECompletion(t *testing.T) {
	t.Parallel()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a_file.csv"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, shell := range []struct{ name, script string }{
		// What readline does: it splits the line, calls the function and completes files if that found none.
		{"bash", `source <(estela completion bash)
			complete -p estela | grep -q -- '-o default -F _estela estela' || exit 3
			read -ra COMP_WORDS <<< "$1"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
			_estela estela
			((${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
			printf '%s\n' "${COMPREPLY[@]}"`},
		{"zsh", `function compdef() { [[ $* == "_estela estela" ]] }
			function _describe() { print -l -- ${${(P)2}%%:*} }
			function _files() { print -l -- ${words[CURRENT]}* }
			source <(estela completion zsh) || exit 3
			words=(${=1}); CURRENT=$#words; _estela`},
		{"fish", `estela completion fish | source; complete -C "$argv[1]" | cut -f1`},
	} {
		if _, err := exec.LookPath(shell.name); err != nil && shell.name != "bash" {
			continue
		}
		for line, want := range completions {
			args := []string{"-c", shell.script, shell.name, line}
			if shell.name == "fish" {
				args = []string{"-c", shell.script, line}
			}
			cmd := exec.CommandContext(t.Context(), shell.name, args...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+filepath.Dir(file)+":"+os.Getenv("PATH"), "HOME="+dir)
			out, err := cmd.CombinedOutput()
			if got := strings.TrimSpace(string(out)); err != nil || got != want {
				t.Errorf("%s: %q is completed to %q, want %q: %v", shell.name, line, got, want, err)
			}
		}
	}
}
