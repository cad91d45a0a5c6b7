package main_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/estela-dev/estela/services/internal/redistest"
)

// reading is an event of the dataset "readings".
func reading(id string, celsius string) string {
	return `{"id":"` + id + `","measured_at":"2026-01-01T00:00:00Z","celsius":` + celsius + "}\n"
}

func readingsFrom(first, last int) string {
	var text strings.Builder
	for i := first; i <= last; i++ {
		text.WriteString(reading(fmt.Sprint("k", i), "20"))
	}
	return text.String()
}

// children are the processes that this one has started.
func (s *system) children() []int {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), "pgrep", "-P", strconv.Itoa(s.cmd.Process.Pid)).Output()
	if err != nil {
		s.t.Fatalf("no child: %v", err)
	}
	var all []int
	for text := range strings.FieldsSeq(string(out)) {
		pid, _ := strconv.Atoi(text)
		all = append(all, pid)
	}
	return all
}

// TestE2EPublishAmidStored publishes into a stream that holds more entries than a producer may
// leave unstored, all of them stored: it ends, and says truly when they are.
func TestE2EPublishAmidStored(t *testing.T) {
	t.Parallel()
	data, dir := ownDataset(t), t.TempDir()
	s := up(t, dir, "--data", data)
	beside := []string{"--data", data, "--data-dir", dir}
	const many = 12_000 // --batch 100 waits at 10,000 entries
	must(t, readingsFrom(1, many), append([]string{"publish", "readings", "--wait-stored"}, beside...)...)
	if n := s.stored(); n != many {
		t.Errorf("%d rows when all was said to be stored", n)
	}
	code, _, errs := estela(t, readingsFrom(many+1, many+3), append([]string{"publish", "readings", "--batch", "100", "--wait-stored"}, beside...)...)
	if code != 0 || strings.Contains(errs, "waiting") || !strings.Contains(errs, "3 acknowledged by Redis") || !strings.Contains(errs, "the warehouse has all of it") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	if n := s.stored(); n != many+3 {
		t.Errorf("%d rows when all was said to be stored", n)
	}
}

// stored is how many readings are, by the metrics' own count.
func (s *system) stored() int {
	s.t.Helper()
	n, err := strconv.ParseFloat(s.metric(`estela_events_total{dataset="readings",outcome="stored"}`), 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return int(n)
}

// TestE2EPublishWithoutAWorker does not wait for ever for what nobody stores.
func TestE2EPublishWithoutAWorker(t *testing.T) {
	t.Parallel()
	server, data := redistest.Start(t), ownDataset(t)
	on := []string{"--data", data, "--data-dir", t.TempDir(), "--redis", server.URL()}
	code, _, errs := estela(t, readingsFrom(1, 3), append([]string{"publish", "readings", "--wait-stored"}, on...)...)
	if code != 1 || !strings.Contains(errs, "no worker reads shard 0 of readings") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	code, out, _ := estela(t, "", append([]string{"doctor"}, on...)...)
	if code != 1 || !strings.Contains(out, "3 entries are not stored, and no worker reads it") {
		t.Errorf("doctor: exit %d\n%s", code, out)
	}
}

// TestE2EPublishInterrupted stops a run by Ctrl-C, also one that reads from a standard input in
// which nothing comes: it says how far it came, and the next resumes there.
func TestE2EPublishInterrupted(t *testing.T) {
	t.Parallel()
	server, data := redistest.Start(t), ownDataset(t)
	file := filepath.Join(t.TempDir(), "many.ndjson")
	const many = 20_000
	writeFile(t, file, readingsFrom(1, many))
	on := []string{"--data", data, "--data-dir", t.TempDir(), "--redis", server.URL()}
	length := func() int64 {
		n, _ := server.Do("XLEN", "estela:{readings:0}").(int64)
		return n
	}
	p := start(t, append([]string{"publish", "readings", file, "--rate", "2000"}, on...)...)
	eventually(t, "some sent", func() error {
		if length() < 100 {
			return fmt.Errorf("%d", length())
		}
		return nil
	})
	code := p.interrupt()
	found := regexp.MustCompile(`interrupted; (\d+) events are in Redis: run the command again with --skip (\d+)`).FindStringSubmatch(p.err.String())
	if code != 1 || found == nil || found[1] != fmt.Sprint(length()) || found[2] != found[1] {
		t.Fatalf("exit %d, %d entries\n%s", code, length(), &p.err)
	}
	must(t, "", append([]string{"publish", "readings", file, "--skip", found[2]}, on...)...)
	if n := length(); n != many {
		t.Errorf("%d entries of %d", n, many)
	}

	binary, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	waiting := exec.CommandContext(t.Context(), binary, append([]string{"publish", "readings"}, on...)...)
	in, err := waiting.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(in, reading("typed", "1"))
	eventually(t, "the line that was typed", func() error {
		if length() != many+1 {
			return fmt.Errorf("%d", length())
		}
		return nil
	})
	_ = waiting.Process.Signal(syscall.SIGINT)
	_ = waiting.Wait()
	if code := waiting.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit %d", code)
	}
}

// TestE2EPublishGivesUp ends when Redis stays away, and says how far it came.
func TestE2EPublishGivesUp(t *testing.T) {
	t.Parallel()
	server, data := redistest.Start(t), ownDataset(t)
	file := filepath.Join(t.TempDir(), "many.ndjson")
	writeFile(t, file, readingsFrom(1, 100_000))
	p := start(t, "publish", "readings", file, "--rate", "1000", "--patience", "1s", "--data", data, "--redis", server.URL())
	eventually(t, "some sent", func() error {
		if n, _ := server.Do("XLEN", "estela:{readings:0}").(int64); n < 100 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	server.Kill()
	if code := p.wait(); code != 1 || !strings.Contains(p.err.String(), "events are in Redis: run the command again with --skip ") {
		t.Errorf("exit %d", code)
	}
	if code, _, errs := estela(t, "", "publish", "readings", "--data", data, "--redis", redistest.Start(t).URL()); code != 1 || !strings.Contains(errs, "read standard input: there is no row in it") {
		t.Errorf("nothing to publish: exit %d\n%s", code, errs)
	}
}

// TestE2ERefusedRows says once why many rows are invalid, keeps all of them on request, and
// takes them back when they are corrected, every digit as it was.
func TestE2ERefusedRows(t *testing.T) {
	t.Parallel()
	data, dir := ownDataset(t), t.TempDir()
	s := up(t, dir, "--data", data)
	beside := []string{"--data", data, "--data-dir", dir}
	var text strings.Builder
	for i := range 3000 {
		text.WriteString(reading(fmt.Sprint("k", i), fmt.Sprintf("%d.1234567890123456789", 61+i)))
	}
	text.WriteString("not json\n[1]\n{\"id\":\"x\",\"celsius\":1}\n" + reading("good", "20"))
	for _, command := range []string{"publish", "backfill"} {
		bad := filepath.Join(t.TempDir(), "bad.ndjson")
		code, _, errs := estela(t, text.String(), append([]string{command, "readings", "--errors", bad}, beside...)...)
		for _, want := range []string{
			"3000 rows (1, 2, 3, …): /celsius: must be at most 60, found 61.1234567890123456789, and the like\n",
			"row 3001: ", "row 3002: (document): must be object, found array\n",
			"row 3003: (document): lacks the required property \"measured_at\"\n", "3003 of 3004 rows are invalid as events of readings",
		} {
			if !strings.Contains(errs, want) {
				t.Errorf("%s does not say %q", command, want)
			}
		}
		if n := strings.Count(errs, "\n"); code != 1 || n > 12 {
			t.Errorf("%s: exit %d, %d lines\n%s", command, code, n, errs)
		}
		lines, err := os.ReadFile(bad)
		if err != nil || strings.Count(string(lines), "\n") != 3003 {
			t.Fatalf("%d lines, %v", strings.Count(string(lines), "\n"), err)
		}
		for _, want := range []string{
			`{"row":1,"violations":[{"pointer":"/celsius","keyword":"maximum","message":"must be at most 60, found 61.1234567890123456789"}],` +
				`"event":{"id":"k0","measured_at":"2026-01-01T00:00:00Z","celsius":61.1234567890123456789}}`,
			`{"row":3002,`, `"event":[1]}`,
		} {
			if !strings.Contains(string(lines), want) {
				t.Errorf("no %s in the file of %s", want, command)
			}
		}
		code, _, errs = estela(t, "", append([]string{command, "readings", bad, "--from-errors", "--errors", bad}, beside...)...)
		if code != 2 || !strings.Contains(errs, "give another") {
			t.Errorf("read and written at once: exit %d\n%s", code, errs)
		}
		corrected := strings.NewReplacer(`"celsius":`, `"celsius":1e-3,"was":`, `"row":3003`, `"row":9`).Replace(string(lines))
		writeFile(t, bad, corrected)
		code, _, errs = estela(t, "", append([]string{command, "readings", bad, "--from-errors"}, beside...)...)
		if code != 1 || !strings.Contains(errs, "3 of 3003 rows are invalid as events") {
			t.Errorf("%s of what was corrected: exit %d\n%s", command, code, errs)
		}
	}
	s.awaitEvents("readings", "stored", 3001)
}

// TestE2EKilledRedis kills the redis-server of 'up', with SIGKILL: it is started again with its
// data, and doctor has nothing to say; when it can't be, 'up' says so and leaves.
func TestE2EKilledRedis(t *testing.T) {
	t.Parallel()
	data, dir := ownDataset(t), t.TempDir()
	s := up(t, dir, "--data", data)
	beside := []string{"--data", data, "--data-dir", dir}
	must(t, readingsFrom(1, 100), append([]string{"publish", "readings", "--wait-stored"}, beside...)...)
	kill := func() int {
		t.Helper()
		child := s.children()
		if len(child) != 1 {
			t.Fatalf("children %v", child)
		}
		if err := syscall.Kill(child[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return child[0]
	}
	was := kill()
	eventually(t, "restarted", func() error {
		if !strings.Contains(s.err.String(), "restarted redis-server") {
			return fmt.Errorf("after %d", was)
		}
		return nil
	})
	must(t, readingsFrom(50, 150), append([]string{"publish", "readings", "--wait-stored"}, beside...)...)
	if n := s.stored(); n != 150 {
		t.Errorf("%d rows", n)
	}
	if out := must(t, "", append([]string{"replay", "readings"}, beside...)...); !strings.HasPrefix(out, "201 entries reread, 0 missing rows") {
		t.Errorf("the stream lost its entries: %s", out)
	}
	eventually(t, "doctor", func() error {
		if code, out, _ := estela(t, "", append([]string{"doctor"}, beside...)...); code != 0 {
			return fmt.Errorf("exit %d\n%s", code, out)
		}
		return nil
	})
	aof := filepath.Join(dir, "redis", "appendonlydir")
	if err := os.Rename(aof, aof+".gone"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, aof, "no directory")
	kill()
	if code := s.wait(); code != 1 || !strings.Contains(s.err.String(), "restart failed: ") {
		t.Errorf("exit %d", code)
	}
}

// TestE2EKilledUp is what doctor says of an 'up' that was killed.
func TestE2EKilledUp(t *testing.T) {
	t.Parallel()
	data, dir := ownDataset(t), t.TempDir()
	s := up(t, dir, "--data", data)
	_ = s.cmd.Process.Kill()
	<-s.done
	code, out, _ := estela(t, "", "doctor", "--data", data, "--data-dir", dir)
	if code != 1 || !strings.Contains(out, "was killed or crashed") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// TestE2EFirstContractWrong corrects a contract by which no event was ever stored.
func TestE2EFirstContractWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wrong := things(t, "readings", strings.ReplaceAll(sharded(1), "celsius", "centigrade"))
	s := up(t, dir, "--data", wrong)
	if code := s.interrupt(); code != 0 {
		t.Fatalf("exit %d", code)
	}
	right := things(t, "readings", sharded(2))
	on := []string{"--data", right, "--data-dir", dir}
	must(t, "", append([]string{"contract", "check"}, on...)...)
	s = up(t, dir, on[:2]...)
	must(t, rows(1, 9), append([]string{"publish", "readings", "--wait-stored"}, on...)...)
	if code := s.interrupt(); code != 0 {
		t.Fatalf("exit %d", code)
	}
	back := []string{"--data", wrong, "--data-dir", dir}
	refused(t, "", append([]string{"up", "--listen", freeAddr(t), "--ops-listen", freeAddr(t)}, back...), "breaks")
	if code, out, errs := estela(t, "", append([]string{"contract", "check"}, back...)...); code != 3 {
		t.Errorf("contract check: exit %d\n%s%s", code, out, errs)
	}
}

// TestE2EWrongKeys adds to keys of the dataset's name that no worker reads, and puts another
// type where the stream should be: doctor names them with the way out, trace finds the event.
func TestE2EWrongKeys(t *testing.T) {
	t.Parallel()
	server, data, dir := redistest.Start(t), ownDataset(t), t.TempDir()
	startWorker(t, dir, data, server.URL())
	on := []string{"--data", data, "--data-dir", dir, "--redis", server.URL()}
	doctor := func(wantCode int, says ...string) {
		t.Helper()
		code, out, _ := estela(t, "", append([]string{"doctor"}, on...)...)
		for _, s := range append(says, "") {
			if code != wantCode || !strings.Contains(out, s) {
				t.Errorf("doctor: exit %d, want %d and %q\n%s", code, wantCode, s, out)
			}
		}
	}
	doctor(0)
	keys := []string{
		"estela:{readings:1}", "estela:{readings:70}", "estela:{readings:00}", "estela:{readings:0} ", "estela:readings:0", "estela:{reading:0}",
		"readings", "Estela:{Readings:0}", "{readings}:0", "estela:{measurings:0}",
	}
	for i, key := range keys {
		server.Do("XADD", key, "*", "event", strings.TrimSpace(reading(fmt.Sprint("lost", i), "1")))
		doctor(1, "FAIL  stream "+key, "XRANGE '"+key+"'")
		if out := must(t, "", "locate", fmt.Sprint("lost", i), "--data", data, "--data-dir", dir); !strings.Contains(out, key) || !strings.Contains(out, "astray") {
			t.Errorf("trace of what is in %q:\n%s", key, out)
		}
		server.Do("DEL", key)
	}
	for _, key := range []string{"jobs:readings:daily", "readings-dead", "reading list"} {
		server.Do("XADD", key, "*", "event", "{}")
	}
	server.Do("XADD", "estela:{readings:0}", "*", "event", strings.TrimSpace(reading("good", "1")))
	doctor(0)
	server.Do("DEL", "estela:{readings:0}")
	server.Do("SADD", "estela:{readings:0}", "x")
	doctor(1, "FAIL  key estela:{readings:0}", "is a set and must be a stream", "RENAME")
	if code, _, errs := estela(t, reading("a", "1"), append([]string{"publish", "readings"}, on...)...); code != 1 || !strings.Contains(errs, "estela:{readings:0}") || !strings.Contains(errs, "WRONGTYPE") {
		t.Errorf("publish: exit %d\n%s", code, errs)
	}
	server.Do("DEL", "estela:{readings:0}")
	eventually(t, "doctor has nothing to say", func() error {
		if code, out, _ := estela(t, "", append([]string{"doctor"}, on...)...); code != 0 {
			return fmt.Errorf("exit %d\n%s", code, out)
		}
		return nil
	})
}

// TestE2EPublishByALaterContract: a property that the running worker does not know would be lost in
// silence; so would one that no contract names.
func TestE2EPublishByALaterContract(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, later := ownDataset(t), things(t, "readings", strings.Replace(readings, `"celsius": {`, `"unit": {"type": "string"}, "celsius": {`, 1))
	s := up(t, dir, "--data", data)
	unit := strings.Replace(reading("a", "1"), "}", `,"unit":"C"}`, 1)
	refused(t, unit, []string{"publish", "readings", "--data", later, "--data-dir", dir}, "row 1 has unit, which the running worker does not store", "nothing was sent")
	refused(t, unit, []string{"backfill", "readings", "--data", later, "--data-dir", dir}, "another version of the contract of readings", "first. Nothing was stored")
	must(t, reading("a", "1"), "publish", "readings", "--data", later, "--data-dir", dir)
	for _, command := range []string{"publish", "backfill"} {
		code, _, errs := estela(t, strings.Replace(reading(command, "1"), "}", `,"Celsius":2,"note":[1]}`, 1), command, "readings", "--data", data, "--data-dir", dir)
		if code != 0 || !strings.Contains(errs, `readings: property "Celsius" is not in the contract, which has "celsius", and no column stores it`) ||
			!strings.Contains(errs, `property "note" is not in the contract and no column stores it`) {
			t.Errorf("%s: exit %d\n%s", command, code, errs)
		}
	}
	// Documents of an array follow each other in memory.
	for i, text := range []string{"[" + reading("b", "1") + "," + reading("c", "2") + "]", strings.ReplaceAll(reading("d", "1")+reading("e", "2"), "\n", "")} {
		if out := must(t, text, "backfill", "readings", "--data", data, "--data-dir", dir); out != "2 stored, 0 duplicates dropped\n" {
			t.Errorf("%d: %s", i, out)
		}
	}
	s.interrupt()
	must(t, strings.ReplaceAll(unit, `"a"`, `"f"`), "backfill", "readings", "--data", later, "--data-dir", dir)
}
