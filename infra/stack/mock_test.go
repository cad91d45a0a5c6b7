package stack_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/estela-dev/estela/infra/internal/standin"
	"github.com/estela-dev/estela/infra/stack"
)

// made is a resource that a program registered.
type made struct {
	Type, Name string
	Inputs     resource.PropertyMap
	Protect    bool
	Parent     string
	DependsOn  []string
}

// cloud stands in for Pulumi's engine and Google Cloud: it records what is registered,
// and can fail the nth of it.
type cloud struct {
	mu       sync.Mutex
	made     []made
	failNth  int
	endpoint bool // whether Valkey has an endpoint yet
	last     map[string]any
}

func (c *cloud) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if args.TypeToken == "pulumi:pulumi:StackReference" {
		return args.Name, resource.PropertyMap{
			"name": args.Inputs["name"], "outputs": resource.NewPropertyValue(c.last), "secretOutputNames": resource.NewPropertyValue([]any{}),
		}, nil
	}
	if c.failNth == len(c.made)+1 {
		c.failNth = -1
		return "", nil, errors.New("the cloud says no")
	}
	m := made{Type: args.TypeToken, Name: args.Name, Inputs: args.Inputs}
	if args.RegisterRPC != nil {
		m.Protect = args.RegisterRPC.GetProtect()
		m.Parent = args.RegisterRPC.GetParent()
		m.DependsOn = args.RegisterRPC.GetDependencies()
	}
	c.made = append(c.made, m)
	if !c.endpoint && args.TypeToken == typeInstance {
		return args.Name + "-id", args.Inputs, nil
	}
	return args.Name + "-id", standin.Outputs(args.TypeToken, args.Name, args.Inputs), nil
}

func (c *cloud) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return nil, fmt.Errorf("%s is called: a preview without credentials could not", args.Token)
}

// committed is the config of Pulumi.<stack>.yaml as a program gets it.
func committed(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../Pulumi." + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	values, err := standin.Config(text)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

const (
	imageA = "southamerica-west1-docker.pkg.dev/estela-example/estela/estela@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	imageB = "southamerica-west1-docker.pkg.dev/estela-example/estela/estela@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// with is a config with some values changed; an empty one is removed.
func with(values map[string]string, changes ...string) map[string]string {
	changed := maps.Clone(values)
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == "" {
			delete(changed, changes[i])
			continue
		}
		changed[changes[i]] = changes[i+1]
	}
	return changed
}

// run runs the program against the cloud and returns what it exports.
func run(t *testing.T, c *cloud, name string, values map[string]string) (map[string]any, error) {
	t.Helper()
	var mu sync.Mutex
	var known sync.WaitGroup
	exports := map[string]any{}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		if err := stack.Program(ctx, values); err != nil {
			return err
		}
		for key, value := range ctx.GetCurrentExportMap() {
			known.Add(1)
			pulumi.ToOutput(value).ApplyT(func(v any) any {
				defer known.Done()
				mu.Lock()
				defer mu.Unlock()
				exports[key] = v
				return v
			})
		}
		return nil
	}, pulumi.WithMocks("estela", name, c))
	if err == nil {
		known.Wait() // an output of plain values is none that the program waits for
	}
	return exports, err
}

// resources are those of a stack, without its components, sorted.
func resources(t *testing.T, name string, values map[string]string) []made {
	t.Helper()
	c := &cloud{endpoint: true}
	if _, err := run(t, c, name, values); err != nil {
		t.Fatal(err)
	}
	all := slices.DeleteFunc(c.made, func(m made) bool { return !strings.HasPrefix(m.Type, "gcp:") })
	slices.SortFunc(all, func(a, b made) int { return strings.Compare(a.Type+a.Name, b.Type+b.Name) })
	return all
}

// stacks are the configs that the policies are held against.
func stacks(t *testing.T) map[string][]made {
	t.Helper()
	staging, production := committed(t, "staging"), committed(t, "production")
	return map[string][]made{
		"foundation":     resources(t, "foundation", committed(t, "foundation")),
		"staging, empty": resources(t, "staging", staging),
		"staging":        resources(t, "staging", with(staging, "estela:image", imageA)),
		"production":     resources(t, "production", with(production, "estela:image", imageA, "estela:candidate", imageB)),
		"fleet": resources(t, "production", with(production, "estela:image", imageA,
			"estela:fleet", `["santiago","lima","bogota"]`, "estela:public", "", "estela:invokers", `["group:partners@example.com"]`)),
	}
}
