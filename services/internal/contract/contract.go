package contract

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
)

// Contract is the compiled contract of one dataset: the promise to producers.
// It is safe for concurrent use; decoders made from it are not.
type Contract struct {
	// Name is the dataset's: its folder, its table, its streams.
	Name string
	// Version identifies the schema: the first 12 hex digits of the SHA-256 of
	// its JSON without insignificant white space. The order of properties counts.
	Version string
	// Schema is the contract as it was read.
	Schema []byte
	// Description is the schema's.
	Description string
	// Columns are the properties in the order the contract names them.
	Columns []Column
	// Key indexes the Columns that identify an event together, in the contract's order. Without
	// any, an event's place in the stream identifies it, and Dedupe is 0.
	Key []int
	// Time and Partition index Columns; -1 is none. Without a time the stream's counts, without
	// a partition there is one shard.
	Time, Partition int
	// Shards is the number of streams the dataset is split into, at least 1.
	Shards int
	// Dedupe is the span of stream time in which a second event of the same
	// key is dropped; 0 turns it off. Retention is how long rows are kept; 0 is
	// forever.
	Dedupe, Retention time.Duration
	// Stream is somebody else's stream that the events are in; nil: the dataset has streams of
	// its own.
	Stream *Stream
	// CloudEvents are the attributes of a CloudEvent that are properties of the event; all others
	// are left out. The event is the CloudEvent's data.
	CloudEvents []Attribute

	root *schema
}

// Column is one property of the contract as a table column.
type Column struct {
	Name     string
	Type     column.Kind
	Required bool // neither absent nor null
	// Aliases are other names under which an event may carry the property.
	Aliases []string
	// Title, Description, Unit and Examples are the property's, as the contract has them.
	Title, Description, Unit string
	Examples                 []json.RawMessage
}

// datasetName is what a folder, a table and a key of Redis can all be called.
var datasetName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// Load reads and compiles DIR/contract.json of fsys; the dataset's name is
// DIR's last element. What is wrong with the contract comes as a *SchemaError
// that lists all of it.
func Load(fsys fs.FS, dir string) (*Contract, error) {
	file := path.Join(dir, "contract.json")
	schema, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, fmt.Errorf("read contract: %w", err)
	}
	return Parse(path.Base(dir), file, schema)
}

// Parse compiles a contract that lies in memory, such as one stored in the
// warehouse. The file is named in errors only, which are a *SchemaError.
func Parse(name, file string, schema []byte) (*Contract, error) {
	c := &compiler{known: keywords()}
	contract := c.contract(name, schema)
	if len(c.problems) > 0 {
		return nil, &SchemaError{File: file, Problems: c.problems}
	}
	return contract, nil
}

func (c *compiler) contract(name string, schema []byte) *Contract {
	if !datasetName.MatchString(name) {
		c.problem("", "the dataset's name %q must match %s: it names the folder, the table and the streams", name, datasetName)
	}
	root, ok := c.tree(schema)
	if !ok {
		return nil
	}
	compiled := c.schema(root, "")
	if compiled.kinds != kindObject {
		c.problem("/type", `must be "object" at the top: an event is one object`)
		return nil
	}
	c.addAliases(compiled)
	contract := &Contract{
		Name: name, Schema: bytes.Clone(schema), Version: version(schema),
		Description: compiled.description, Columns: c.columns(compiled), root: compiled,
	}
	c.annotation(contract, root)
	return contract
}

// tree reads the file after checking, with the checker that events go through,
// that it is one JSON object without repeated names.
func (c *compiler) tree(schema []byte) (node, bool) {
	var check checker
	check.reset(schema)
	check.document(&anyObject)
	for _, v := range check.out {
		c.problem(v.Pointer, "%s", v.Message)
	}
	if len(check.out) > 0 {
		return node{}, false
	}
	root, err := parseTree(schema)
	if err != nil {
		c.problem("", "is not valid JSON: %v", err)
		return node{}, false
	}
	return root, true
}

var anyObject = schema{kinds: kindObject}

func version(schema []byte) string {
	var compact bytes.Buffer
	_ = json.Compact(&compact, schema) // it was found to be valid JSON
	sum := sha256.Sum256(compact.Bytes())
	return hex.EncodeToString(sum[:6])
}
