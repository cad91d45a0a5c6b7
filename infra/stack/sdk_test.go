package stack_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// sdk reads what the provider's SDK says of its resources, from the source of its Go package: which fields
// there are, and which values a field takes. Nothing of it is compiled.
type sdk struct {
	dir     string
	structs map[string]map[string]field
}

// field is a struct's, by its name in the protocol.
type field struct {
	doc, typ string
}

// openSDK finds the source in the module cache.
func openSDK(t *testing.T) *sdk {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi-gcp/sdk/v8").Output()
	if err != nil {
		t.Fatal(err)
	}
	return &sdk{dir: strings.TrimSpace(string(out)), structs: map[string]map[string]field{}}
}

// check says what in a resource's inputs the SDK does not know, and how many values it could hold against a
// list of the SDK's.
func (s *sdk) check(r made) (wrong []string, compared int, err error) {
	// gcp:cloudrunv2/service:Service
	parts := strings.Split(r.Type, ":")
	if len(parts) != 3 || parts[0] != "gcp" {
		return nil, 0, nil
	}
	pkg, _, _ := strings.Cut(parts[1], "/")
	name := strings.ToLower(parts[2][:1]) + parts[2][1:] + "Args"
	if first := strings.IndexFunc(parts[2][1:], func(c rune) bool { return c >= 'a' && c <= 'z' }); first > 0 {
		name = strings.ToLower(parts[2][:first]) + parts[2][first:] + "Args" // IAMMember is iammemberArgs
	}
	c := comparison{sdk: s, pkg: pkg}
	if err := c.object(name, plain(resource.NewProperty(r.Inputs)).(map[string]any), ""); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", r.Type, err)
	}
	return c.wrong, c.compared, nil
}

type comparison struct {
	sdk      *sdk
	pkg      string
	wrong    []string
	compared int
}

var (
	possible = regexp.MustCompile(`(?s)[Pp]ossible values.*|Must be one of.*`)
	value    = regexp.MustCompile(`\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\b[A-Z]{2,}\b`)
)

func (c *comparison) object(name string, values map[string]any, path string) error {
	fields, err := c.sdk.fields(c.pkg, name)
	if err != nil {
		return err
	}
	for key, v := range values {
		f, known := fields[key]
		if !known {
			c.wrong = append(c.wrong, fmt.Sprintf("%s%s is no field of %s", path, key, name))
			continue
		}
		if err := c.value(f, v, path+key); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) value(f field, v any, path string) error {
	typ := strings.TrimLeft(f.typ, "*[]")
	switch v := v.(type) {
	case map[string]any:
		if strings.HasPrefix(f.typ, "map[") {
			return nil
		}
		return c.object(typ, v, path+".")
	case []any:
		for _, one := range v {
			if err := c.value(f, one, path); err != nil {
				return err
			}
		}
	case string:
		known := value.FindAllString(possible.FindString(f.doc), -1)
		if len(known) < 2 {
			return nil
		}
		c.compared++
		if !slices.Contains(known, v) {
			c.wrong = append(c.wrong, fmt.Sprintf("%s is %q, the SDK names %s", path, v, strings.Join(known, ", ")))
		}
	}
	return nil
}

// fields finds a struct in a package's files and reads its fields.
func (s *sdk) fields(pkg, name string) (map[string]field, error) {
	id := pkg + "." + strings.ToLower(name)
	if found, ok := s.structs[id]; ok {
		return found, nil
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "go", "gcp", pkg, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		at := declaration(text, name)
		if at < 0 {
			continue
		}
		end := bytes.Index(text[at:], []byte("\n}\n"))
		if end < 0 {
			return nil, fmt.Errorf("%s: struct %s has no end", file, name)
		}
		fields, err := parseFields(text[at : at+end+3])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		s.structs[id] = fields
		return fields, nil
	}
	return nil, fmt.Errorf("the SDK's package %s has no struct %s", pkg, name)
}

// declaration is where a plain struct begins: the one of the given name, in lower case where it is of arguments.
func declaration(text []byte, name string) int {
	for _, candidate := range []string{name, strings.ToLower(name[:1]) + name[1:]} {
		if at := bytes.Index(text, []byte("type "+candidate+" struct {")); at >= 0 {
			return at
		}
	}
	if !strings.HasSuffix(name, "Args") {
		return -1
	}
	return bytes.Index(bytes.ToLower(text), []byte("type "+strings.ToLower(name)+" struct {\n\t// "))
}

func parseFields(declaration []byte) (map[string]field, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "", append([]byte("package p\n"), declaration...), parser.ParseComments)
	if err != nil {
		return nil, err
	}
	fields := map[string]field{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		f, ok := n.(*ast.Field)
		if !ok || f.Tag == nil {
			return true
		}
		tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("pulumi")
		fields[tag] = field{doc: f.Doc.Text(), typ: typeName(f.Type)}
		return true
	})
	return fields, nil
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return "*" + typeName(e.X)
	case *ast.ArrayType:
		return "[]" + typeName(e.Elt)
	case *ast.MapType:
		return "map[" + typeName(e.Key) + "]" + typeName(e.Value)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// The SDK's source is what the provider was generated from: a field or a value that it does
// not know would be refused in the cloud, after half an update. Network and subnet, which
// are registered by token, are held against it too.
func TestInputsAreTheSDKs(t *testing.T) {
	t.Parallel()
	known, compared := openSDK(t), 0
	for name, all := range stacks(t) {
		for _, m := range all {
			wrong, n, err := known.check(m)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, text := range wrong {
				t.Errorf("%s: %s %s: %s", name, m.Type, m.Name, text)
			}
			compared += n
		}
	}
	if compared < 100 {
		t.Errorf("only %d values were held against a list: does the SDK still say which there are?", compared)
	}
}

func TestTheSDKCheckSees(t *testing.T) {
	t.Parallel()
	known := openSDK(t)
	for name, mistake := range map[string]func(*made){
		"a value":        change("CLUSTERED", "mode"),
		"a field":        change("CLUSTER", "clusterMode"),
		"a nested value": change("AOFF", "persistenceConfig", "mode"),
	} {
		m := find(t, stacks(t)["production"], typeInstance)
		mistake(&m)
		if wrong, _, err := known.check(m); err != nil || len(wrong) != 1 {
			t.Errorf("%s: %q, %v", name, wrong, err)
		}
	}
}
