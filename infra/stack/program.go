package stack

import (
	"fmt"
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Program is the stack of the given config values, by their full names
// (estela:kind, gcp:project).
func Program(ctx *pulumi.Context, values map[string]string) error {
	cfg, err := Parse(values, ctx.Stack())
	if err != nil {
		return err
	}
	if cfg.Kind == Foundation {
		return foundation(ctx, cfg)
	}
	return app(ctx, cfg)
}

// component is a group of resources for one concern.
type component struct {
	pulumi.ResourceState

	ctx    *pulumi.Context
	cfg    Config
	labels pulumi.StringMap
}

// newComponent registers one. The type is estela:infra:KIND, which with the name is the
// resource's identity: neither is changed without an alias.
func newComponent(ctx *pulumi.Context, cfg Config, kind, name string, opts ...pulumi.ResourceOption) (*component, error) {
	c := &component{ctx: ctx, cfg: cfg, labels: pulumi.StringMap{
		"app": pulumi.String("estela"), "stack": pulumi.String(ctx.Stack()), "managed-by": pulumi.String("pulumi"),
	}}
	if err := ctx.RegisterComponentResource("estela:infra:"+kind, name, c, opts...); err != nil {
		return nil, fmt.Errorf("register %s %s: %w", kind, name, err)
	}
	return c, nil
}

// child are the options of a resource in the component.
func (c *component) child(more ...pulumi.ResourceOption) pulumi.ResourceOption {
	return pulumi.Composite(append([]pulumi.ResourceOption{pulumi.Parent(c)}, more...)...)
}

// guarded are the options of a resource that holds what can't be made again.
func (c *component) guarded(more ...pulumi.ResourceOption) pulumi.ResourceOption {
	return c.child(append(more, pulumi.Protect(c.cfg.Protect))...)
}

// labelled are the component's labels with a system's.
func (c *component) labelled(system string) pulumi.StringMap {
	all := maps.Clone(c.labels)
	all["system"] = pulumi.String(system)
	return all
}

// outputs ends the component.
func (c *component) outputs(values pulumi.Map) error {
	return c.ctx.RegisterResourceOutputs(c, values)
}
