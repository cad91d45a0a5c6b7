package bench_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

var (
	against  = flag.String("against", "", "git revision that BenchmarkMachine and BenchmarkFlat build and measure in turn with the present one")
	profiles = flag.String("profiles", "", "directory in which the CPU profiles of BenchmarkMachine and BenchmarkFlat are kept")
)

// BenchmarkMachine stores backlogs with the shipped program in a process of its own, beside a
// redis-server, and prints what that costs and how far it is from what the machine could do:
//
//	ΣCPU  processor time an event, of all stages and processes
//	L     events a second if no core ever waited: cores ÷ ΣCPU
//	E     events a second from the moment the worker is attached to the filled stream (its
//	      consumer group is there; program and warehouse have started) until the program
//	      counts the last event as stored
//
// The stages are samples of a CPU profile over that time, by the functions of the worker that
// they are in. DuckDB's work on the thread of its caller is in the stage that calls; what its own
// threads do is a line of its own. The processes' times are the kernel's and go on until the
// program has ended, so that work that it puts off counts too.
func BenchmarkMachine(b *testing.B) {
	sides := newSides(b)
	for _, perEntry := range []int{1, 50} {
		b.Run(fmt.Sprintf("PerEntry=%d", perEntry), func(b *testing.B) {
			for b.Loop() {
				costs := make([][]cost, len(sides))
				for lap := range *laps {
					for i := range sides {
						i = (i + lap) % len(sides) // whoever is first goes on another ground
						m := newMachine(b, sides[i].file)
						costs[i] = append(costs[i], m.store(0, *events, perEntry))
						m.close()
					}
				}
				reportCosts(b, sides, costs)
			}
		})
	}
}

// BenchmarkFlat stores backlogs one after the other in the same table, all inside one dedupe
// window, each with a newly started program, and compares the last with the first.
func BenchmarkFlat(b *testing.B) {
	sides := newSides(b)
	for b.Loop() {
		machines, costs := make([]*machine, len(sides)), make([][]cost, len(sides))
		for round := range *rounds {
			for i, s := range sides {
				if round == 0 {
					machines[i] = newMachine(b, s.file)
				}
				c := machines[i].store(round**events, *events, 1)
				costs[i] = append(costs[i], c)
				b.Logf("%s, %9d rows before: %.0f events/s, %v of CPU an event, peak %d MiB, attached after %v",
					s.name, round**events, c.rate(), c.total()/time.Duration(c.events), c.peak>>20, c.attached.Round(time.Millisecond))
			}
		}
		b.ReportMetric(0, "ns/op")
		for i, s := range sides {
			first, last := costs[i][0], costs[i][*rounds-1]
			fastest := slices.MaxFunc(costs[i], func(x, y cost) int { return int(x.rate() - y.rate()) })
			slowest := slices.MinFunc(costs[i], func(x, y cost) int { return int(x.rate() - y.rate()) })
			b.ReportMetric(first.rate(), s.unit("first/s"))
			b.ReportMetric(last.rate(), s.unit("last/s"))
			b.ReportMetric(slowest.rate()/fastest.rate(), s.unit("slowest/fastest"))
			b.ReportMetric(float64(last.total())/float64(first.total()), s.unit("last/first-cpu"))
			b.ReportMetric(float64(last.peak>>20), s.unit("peak-MiB"))
			b.ReportMetric(last.attached.Seconds(), s.unit("last-attached-s"))
			machines[i].close()
		}
	}
}

// side is a revision's program.
type side struct{ name, file string }

// newSides builds the present program and that of -against.
func newSides(b *testing.B) []side {
	b.Helper()
	sides := []side{{"present", buildProgram(b, "")}}
	if *against != "" {
		sides = append(sides, side{*against, buildProgram(b, *against)})
	}
	return sides
}

// unit is a metric's unit for this side.
func (s side) unit(unit string) string {
	if s.name == *against {
		return s.name + ":" + unit
	}
	return unit
}

var (
	// programs is the directory of the programs that were built.
	programs string
	// built are their files by revision: it takes longer than a benchmark.
	built = map[string]string{}
)

// buildProgram builds the program of a revision, "" for the present one, with the means to
// profile it, and returns its file.
func buildProgram(b *testing.B, revision string) string {
	b.Helper()
	if file, ok := built[revision]; ok {
		return file
	}
	tree := "../../.."
	if revision != "" {
		tree = checkOut(b, revision)
	}
	services, err := filepath.Abs(filepath.Join(tree, "services"))
	check(err)
	added, err := filepath.Abs("testdata/profiled.go")
	check(err)
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(services, "cmd/estela/profiled.go"): added}})
	check(err)
	overlay := filepath.Join(b.TempDir(), "overlay.json")
	check(os.WriteFile(overlay, text, 0o600))
	file := filepath.Join(programs, fmt.Sprintf("estela%d", len(built)))
	cmd := exec.CommandContext(b.Context(), "go", "build", "-overlay", overlay, "-o", file, "./cmd/estela")
	cmd.Dir = services
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build %s: %v\n%s", services, err, out)
	}
	built[revision] = file
	return file
}

// checkOut checks a revision out until the benchmark ends.
func checkOut(b *testing.B, revision string) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "tree")
	git := func(args ...string) {
		if out, err := exec.Command("git", append([]string{"-c", "safe.directory=*"}, args...)...).CombinedOutput(); err != nil {
			b.Fatalf("check out %s of -against: git %s: %v\n%s", revision, strings.Join(args, " "), err, out)
		}
	}
	git("worktree", "add", "--detach", dir, revision)
	b.Cleanup(func() { git("worktree", "remove", "--force", dir) })
	return dir
}

// machine is a redis-server and the data directory of a program.
type machine struct {
	b         *testing.B
	file, dir string
	server    *redistest.Server
	tabs      int // live pages
}

func newMachine(b *testing.B, file string) *machine {
	return &machine{b: b, file: file, dir: b.TempDir(), server: redistest.Start(b)}
}

// close gives memory and disk back before the benchmark ends.
func (m *machine) close() {
	m.server.Kill()
	check(os.RemoveAll(m.dir))
}

// cost is what storing a backlog took.
type cost struct {
	events   int
	attached time.Duration // from the program's start until it could read
	wall     time.Duration // from then until all was stored
	stages   [len(stages)]time.Duration
	program  time.Duration // CPU of the program from then to its end
	after    time.Duration // the part of that after all was stored
	redis    time.Duration // CPU of redis-server
	peak     int64         // bytes of the program's memory
	disk     int64         // bytes of the warehouse
	stored   int           // events in the warehouse
	frames   int64         // of all live pages
}

func (c cost) rate() float64        { return float64(c.events) / c.wall.Seconds() }
func (c cost) total() time.Duration { return c.program + c.redis }

// store fills the stream with events from..from+n-1, starts the program, ends it once it has
// stored them, and empties the stream.
func (m *machine) store(from, n, perEntry int) cost {
	m.b.Helper()
	key := stream.Key(&contract.Contract{Name: "flights", Shards: 1}, 0)
	m.fill(from, n, perEntry)
	redisBefore := m.redisCPU()
	c := cost{events: n, stored: from + n}
	earlier := m.groups(key)
	started := time.Now()
	p := launch(m.b, m.file, m.dir, "--redis", m.server.URL())
	for groups := m.groups(key); len(groups) == 0 || slices.Equal(groups, earlier); groups = m.groups(key) {
		if time.Since(started) > 2*time.Minute {
			p.fail("it has not attached to the stream")
		}
		time.Sleep(time.Millisecond)
	}
	attached := time.Now()
	c.attached = attached.Sub(started)
	before := p.cpu()
	p.signal(syscall.SIGUSR1)
	p.awaitReady()
	closed := p.open(m.tabs)
	p.awaitCounted(n)
	c.wall = time.Since(attached)
	c.frames = closed()
	p.signal(syscall.SIGUSR2)
	c.stages = p.profiled()
	stored := p.cpu()
	c.peak = p.highWater()
	p.stop()
	c.program = p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime() - before
	c.after = c.program - (stored - before)
	c.redis = m.redisCPU() - redisBefore
	for _, file := range []string{"estela.duckdb", "estela.duckdb.wal"} {
		if info, err := os.Stat(filepath.Join(m.dir, file)); err == nil {
			c.disk += info.Size()
		}
	}
	m.server.Do("XTRIM", key, "MAXLEN", "0")
	return c
}

func (m *machine) fill(from, n, perEntry int) {
	m.b.Helper()
	client, err := stream.Open(m.b.Context(), stream.Config{URL: m.server.URL()})
	if err != nil {
		m.b.Fatal(err)
	}
	defer client.Close()
	bd := &bed{b: m.b, redis: client, contract: &contract.Contract{Name: "flights", Shards: 1}}
	bd.fill(from, n, perEntry)
}

// groups are the names of the stream's consumer groups. A worker that attaches makes a new one.
func (m *machine) groups(key string) (names []string) {
	m.b.Helper()
	groups, _ := m.server.Do("XINFO", "GROUPS", key).([]any)
	for _, g := range groups {
		names = append(names, fmt.Sprint(g.([]any)[1]))
	}
	return names
}

// redisCPU is the processor time of redis-server until now.
func (m *machine) redisCPU() time.Duration {
	m.b.Helper()
	info, _ := m.server.Do("INFO", "cpu").(string)
	var sum float64
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				m.b.Fatalf("INFO cpu of redis-server: %v", err)
			}
			sum += seconds
		}
	}
	return time.Duration(sum * float64(time.Second))
}

// awaitCounted waits until so many events are stored. A request for the metrics costs the program
// two milliseconds: they are few until it is nearly there.
func (p *program) awaitCounted(n int) {
	p.b.Helper()
	for begun := time.Now(); ; {
		have, passed := p.stored(), time.Since(begun)
		if have >= n {
			return
		}
		if passed > 10*time.Minute {
			p.fail(fmt.Sprintf("%d of %d events are stored", have, n))
		}
		left := time.Duration(float64(passed) / float64(max(have, 1)) * float64(n-have))
		time.Sleep(min(max(left/2, 25*time.Millisecond), 250*time.Millisecond))
	}
}

func (p *program) fail(what string) {
	p.b.Helper()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.b.Fatalf("%s\n%s", what, &p.said)
}

func (p *program) signal(s os.Signal) {
	p.b.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.b.Fatal(err)
	}
}

// proc reads a file of the process in /proc.
func (p *program) proc(name string) string {
	p.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, name))
	if err != nil {
		p.b.Fatal(err)
	}
	return string(text)
}

// cpu is the process' processor time until now, in steps of 10 ms.
func (p *program) cpu() time.Duration {
	p.b.Helper()
	const tick = 10 * time.Millisecond // USER_HZ
	_, rest, _ := strings.Cut(p.proc("stat"), ") ")
	fields := strings.Fields(rest)
	user, err := strconv.Atoi(fields[11])
	check(err)
	system, err := strconv.Atoi(fields[12])
	check(err)
	return time.Duration(user+system) * tick
}

// highWater is the most memory that the process has had, in bytes.
func (p *program) highWater() int64 {
	p.b.Helper()
	_, rest, _ := strings.Cut(p.proc("status"), "VmHWM:")
	kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	check(err)
	return kilobytes << 10
}

// stages are the parts of the program's CPU time, each with what the names of its functions
// contain. The first that matches decides.
var stages = [...]struct {
	name      string
	functions []string
}{
	{"read", []string{"worker.(*pipeline).read", "worker.(*shard)", "/stream."}},
	{"decode", []string{"worker.(*pipeline).decode", "contract.(*Decoder)"}},
	{"dedupe", []string{"worker.(*committer).dedupe", "worker.(*keySet)"}},
	{"commit", []string{"worker.(*pipeline).commit", "worker.(*committer)", "/warehouse.", "/database."}},
	{"DuckDB's threads", []string{"runtime._ExternalCode"}},
	{"garbage collection", []string{"runtime.gcBgMarkWorker", "runtime.bgsweep", "runtime.bgscavenge"}},
}

// profile is the file of the CPU profile.
func (p *program) profile() string { return filepath.Join(p.dir, "cpu.pprof") }

// profiled returns the processor time of each stage, by the profile.
func (p *program) profiled() (times [len(stages)]time.Duration) {
	p.b.Helper()
	p.until("the profile is written", func() bool { _, err := os.Stat(p.profile()); return err == nil })
	out, err := exec.CommandContext(p.b.Context(), "go", "tool", "pprof", "-symbolize=none", "-traces", "-unit=us", p.profile()).Output()
	if err != nil {
		p.b.Fatalf("go tool pprof: %v", err)
	}
	var all, unknown time.Duration
	for sample := range strings.SplitSeq(string(out), "-----------+-------------------------------------------------------\n") {
		value, frames, _ := strings.Cut(strings.TrimSpace(sample), " ")
		us, err := strconv.ParseFloat(strings.TrimSuffix(value, "us"), 64)
		if err != nil {
			continue // the heading
		}
		took := time.Duration(us * float64(time.Microsecond))
		all += took
		if i := stageOf(frames); i >= 0 {
			times[i] += took
		} else {
			unknown += took
		}
	}
	if 2*unknown >= all {
		p.b.Errorf("%v of the profile's %v are in no stage that this benchmark knows: correct the functions in its stages", unknown, all)
	}
	if *profiles != "" {
		text, err := os.ReadFile(p.profile())
		check(err)
		check(os.WriteFile(filepath.Join(*profiles, fmt.Sprintf("%d.pprof", p.cmd.Process.Pid)), text, 0o600))
	}
	check(os.Remove(p.profile())) // the next program in this directory writes its own
	return times
}

func stageOf(frames string) int {
	for i, s := range stages {
		if slices.ContainsFunc(s.functions, func(f string) bool { return strings.Contains(frames, f) }) {
			return i
		}
	}
	return -1
}

// figure is a line of the table, and a metric if it has a unit.
type figure struct {
	name, unit, format string
	value              float64
}

func (c cost) figures() []figure {
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(c.events) }
	other := c.program - c.after
	var all []figure
	for i, s := range stages {
		other -= c.stages[i]
		all = append(all, figure{s.name + ", µs an event", "", "%.3f", each(c.stages[i])})
	}
	limit := float64(runtime.NumCPU()) / c.total().Seconds() * float64(c.events)
	return append(all,
		figure{"other, µs an event", "", "%.3f", each(other)},
		figure{"after the last commit, µs an event", "", "%.3f", each(c.after)},
		figure{"estela, µs an event", "estela-µs/event", "%.3f", each(c.program)},
		figure{"redis-server, µs an event", "redis-µs/event", "%.3f", each(c.redis)},
		figure{"ΣCPU, µs an event", "ΣCPU-µs/event", "%.3f", each(c.total())},
		figure{"L, events a second", "L/s", "%.0f", limit},
		figure{"E, events a second", "E/s", "%.0f", c.rate()},
		figure{"E/L", "E/L", "%.2f", c.rate() / limit},
		figure{"peak memory, MiB", "peak-MiB", "%.0f", float64(c.peak) / (1 << 20)},
		figure{"bytes a row", "B/row", "%.1f", float64(c.disk) / float64(c.stored)},
		figure{"start until attached, s", "", "%.2f", c.attached.Seconds()})
}

// reportCosts prints the medians beside each other.
func reportCosts(b *testing.B, sides []side, costs [][]cost) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\t")
	for _, s := range sides {
		fmt.Fprint(table, s.name, "\t")
	}
	fmt.Fprintln(table)
	for line, f := range costs[0][0].figures() {
		fmt.Fprint(table, f.name, "\t")
		medians := make([]float64, len(sides))
		for i := range sides {
			values := make([]float64, 0, *laps)
			for _, c := range costs[i] {
				values = append(values, c.figures()[line].value)
			}
			medians[i] = median(values)
			if f.unit != "" {
				b.ReportMetric(medians[i], sides[i].unit(f.unit))
			}
			fmt.Fprintf(table, f.format+"\t", medians[i])
		}
		if len(sides) > 1 && medians[1] != 0 {
			fmt.Fprintf(table, "%.2f ×\t", medians[0]/medians[1])
		}
		fmt.Fprintln(table)
	}
	check(table.Flush())
	fmt.Printf("%d events, medians of %d\n%s", *events, *laps, &text) // a log is cut after ten lines
}
