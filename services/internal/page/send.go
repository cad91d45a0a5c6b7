package page

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/event"
)

// send is an example of how to send an event.
type send struct{ Name, Code string }

// sends are the examples for the event that work with this server.
func (s *Server) sends(r *request, c *contract.Contract, example []byte) []send {
	var all []send
	posts := r.Posts(c.Name)
	base := r.c.BaseURL()
	if posts {
		key := ""
		if r.view.Guarded {
			key = " \\\n  -H \"Authorization: Bearer $ESTELA_KEY\""
		}
		all = append(all, send{"curl", "curl " + shellText(base+"/v1/"+c.Name+"/events") + key + " \\\n  -H 'Content-Type: application/json' \\\n  --data-raw " + shellText(string(example))},
			send{"Go", goExample(c, "\tc, err := client.New(client.Config{URL: "+strconv.Quote(base)+", Key: os.Getenv(\"ESTELA_KEY\")})\n"+
				"\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n\tp := c.Publisher(ctx, "+strconv.Quote(c.Name)+", client.PublisherConfig{})\n", "\t\"os\"\n", example)})
	}
	if s.cfg.Streams == nil {
		return all
	}
	batch := c.NewBatch(0, 1)
	shard := 0
	if c.NewDecoder().Decode(batch, example, event.ID{}, 0) {
		shard = event.Shard(batch.PartitionString(0), c.Shards)
	}
	url, key := s.cfg.Streams.Stream(c, shard)
	if url == "" {
		return all
	}
	if !posts && c.Stream == nil {
		all = append(all, send{"Go", goExample(c, "\tr, err := client.OpenRedis(ctx, client.RedisConfig{URL: "+strconv.Quote(url)+"})\n"+
			"\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n\tdefer r.Close()\n\tp, err := r.Publisher(ctx, "+strconv.Quote(c.Name)+", client.PublisherConfig{})\n"+
			"\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n", "", example)})
	}
	fields := entryOf(c, example)
	return append(all, send{"Python (redis-py)", pythonExample(url, key, fields)}, send{"redis-cli", cliExample(url, key, fields)})
}

// entryOf are the fields and values of the event's entry.
func entryOf(c *contract.Contract, example []byte) (fields []string) {
	if !c.Stream.HasFields() {
		name := contract.FieldEvent
		if other := c.Stream.EventField(); other != "" {
			name = other
		}
		return []string{name, string(example)}
	}
	names, values, err := endpoint.Members(example)
	if err != nil {
		return nil // an event is an object
	}
	for i, value := range values {
		if string(value) != "null" {
			fields = append(fields, names[i], contract.PlainText(value))
		}
	}
	return fields
}

func cliExample(url, key string, fields []string) string {
	at := "-u " + shellText(url)
	if path, ok := strings.CutPrefix(url, "unix://"); ok {
		at = "-s " + shellText(path)
	}
	all := make([]string, len(fields))
	for i, text := range fields {
		all[i] = shellText(text)
	}
	return "redis-cli " + at + " XADD " + shellText(key) + " '*' \\\n  " + strings.Join(all, " ")
}

func pythonExample(url, key string, fields []string) string {
	var b strings.Builder
	b.WriteString("import redis\n\nr = redis.Redis.from_url(" + quotedText(url) + ")\nr.xadd(" + quotedText(key) + ", {\n")
	for i := 0; i+1 < len(fields); i += 2 {
		b.WriteString("    " + quotedText(fields[i]) + ": " + quotedText(fields[i+1]) + ",\n")
	}
	return b.String() + "})"
}

func goExample(c *contract.Contract, open, imports string, example []byte) string {
	text := strconv.Quote(string(example))
	if strconv.CanBackquote(string(example)) {
		text = "`" + string(example) + "`"
	}
	return "package main\n\nimport (\n\t\"context\"\n\t\"log\"\n" + imports + "\n\t\"github.com/estela-dev/estela/services/client\"\n)\n\n" +
		"func main() {\n\tctx := context.Background()\n" + open +
		"\tif err := p.Publish(ctx, []byte(" + text + ")); err != nil {\n\t\tlog.Fatal(err)\n\t}\n" +
		"\tif err := p.Close(ctx); err != nil { // " + c.Name + " has the event once it is nil\n\t\tlog.Fatal(err)\n\t}\n}"
}

// shellText quotes a text for a POSIX shell.
func shellText(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// quotedText is a text as a literal of Python, which reads JSON's.
func quotedText(text string) string {
	if strings.Contains(text, `"`) && !strings.ContainsAny(text, "'\\\n") {
		return "'" + text + "'"
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string
	return strings.TrimSpace(b.String())
}
