package main_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// TestE2EAgent: an agent that starts 'estela mcp' has the endpoints that its key opens, of the moment.
func TestE2EAgent(t *testing.T) {
	t.Parallel()
	data, keys := things(t, "readings", readings), filepath.Join(t.TempDir(), "keys.json")
	writeFile(t, filepath.Join(data, "readings", "endpoints", "all.sql"), "-- All.\n-- order: id\nSELECT id FROM readings")
	secret := strings.TrimSpace(must(t, "", "key", "new", "agent", "--data", data, "--read", "readings", "--write", "readings", "--append", "--keys", keys))
	s := up(t, t.TempDir(), "--data", data, "--keys", keys, "--no-sample", "--watch")
	eventually(t, "events are stored", func() error {
		if status, text := post(t, s.api, "?durability=stored", secret, rows(1, 30)); status != http.StatusOK {
			return fmt.Errorf("%d %s", status, text)
		}
		return nil
	})
	if code, out, errs := estela(t, "", "mcp", "--data-dir", s.dir); code != 2 || out != "" || !strings.Contains(errs, "API key required") || !strings.Contains(errs, "ESTELA_API_KEY") {
		t.Errorf("without a key: exit %d, %s%s", code, out, errs)
	}
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var log output
	cmd := exec.Command(file, "mcp", "--data-dir", s.dir)
	cmd.Env, cmd.Stderr = append(cmd.Environ(), "ESTELA_API_KEY="+secret), &log
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &sdk.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "readings_all"})
	if err != nil || result.IsError || len(result.StructuredContent.(map[string]any)["data"].([]any)) != 20 {
		t.Errorf("%v %+v", err, result)
	}
	writeFile(t, filepath.Join(data, "readings", "endpoints", "count.sql"), "-- How many.\nSELECT count(*) AS n FROM readings")
	eventually(t, "the new endpoint is a tool", func() error {
		var names []string
		for tool, err := range session.Tools(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, tool.Name)
		}
		if got := fmt.Sprint(names); got != "[readings_all readings_count]" {
			return fmt.Errorf("the tools are %s", got)
		}
		return nil
	})
	// The end of its input ends it; it has written nothing but the protocol.
	if err := session.Close(); err != nil || cmd.ProcessState.ExitCode() != 0 || log.String() != "" {
		t.Errorf("%v %v %s", err, cmd.ProcessState, &log)
	}
	running := start(t, "mcp", "--api", "http://"+s.ops) // no API
	if code := running.wait(); code != 1 || !strings.Contains(running.err.String(), "the API answered with status 404") {
		t.Errorf("another server: exit %d, %s", code, &running.err)
	}
}
