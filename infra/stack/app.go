package stack

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// system is one pipeline of an app: streams, warehouse, worker, API.
type system struct {
	name     string
	database string
	api      *apiService // nil without an image
	watch    *watched
}

// app makes one system, or as many as the fleet has, in one network.
func app(ctx *pulumi.Context, cfg Config) error {
	n, err := newNetwork(ctx, cfg)
	if err != nil {
		return err
	}
	channels, err := newChannels(ctx, cfg)
	if err != nil {
		return err
	}
	var all []*system
	for _, s := range systems(cfg, ctx.Stack()) {
		if err := s.build(ctx, cfg, n, channels); err != nil {
			return err
		}
		all = append(all, s)
	}
	if err := newFleetDashboard(ctx, cfg, all); err != nil {
		return err
	}
	export(ctx, cfg, all)
	return nil
}

// systems are the app's: one named as the stack, or those of the fleet, each with a
// database of its own.
func systems(cfg Config, stack string) []*system {
	if len(cfg.Fleet) == 0 {
		return []*system{{name: "estela-" + stack, database: cfg.Warehouse}}
	}
	all := make([]*system, len(cfg.Fleet))
	for i, name := range cfg.Fleet {
		all[i] = &system{name: name, database: cfg.Warehouse + "_" + strings.ReplaceAll(name, "-", "_")}
	}
	return all
}

func (s *system) build(ctx *pulumi.Context, cfg Config, n *network, channels *channels) error {
	c, err := newComponent(ctx, cfg, "System", s.name)
	if err != nil {
		return err
	}
	v, err := newValkey(ctx, cfg, s.name, n, c)
	if err != nil {
		return err
	}
	secrets, err := newSecrets(ctx, cfg, s.name, c)
	if err != nil {
		return err
	}
	if cfg.Image != "" {
		if s.api, err = newAPI(ctx, cfg, s.name, s.database, n, secrets, c); err != nil {
			return err
		}
		if err := newWorker(ctx, cfg, s.name, s.database, n, v, secrets, c); err != nil {
			return err
		}
		if err := newCanary(ctx, cfg, s.name, n, v, secrets, s.api, c); err != nil {
			return err
		}
	}
	if s.watch, err = newMonitoring(ctx, cfg, s, channels, c); err != nil {
		return err
	}
	return c.outputs(pulumi.Map{"database": pulumi.String(s.database)})
}

// export is what `dagger call deploy` reads, of the first system, and the addresses of
// all.
func export(ctx *pulumi.Context, cfg Config, all []*system) {
	ctx.Export("image", pulumi.String(cfg.Image))
	ctx.Export("previous", pulumi.String(cfg.Previous))
	slos, urls := pulumi.StringArray{}, pulumi.StringMap{}
	for _, s := range all {
		slos = append(slos, s.watch.slos...)
		if s.api != nil {
			urls[s.name] = s.api.url
		}
	}
	ctx.Export("slos", slos)
	ctx.Export("urls", urls)
	url, candidate := pulumi.StringInput(pulumi.String("")), pulumi.StringInput(pulumi.String(""))
	if all[0].api != nil {
		url = all[0].api.url
		if cfg.Candidate != "" {
			candidate = all[0].api.candidateURL
		}
	}
	ctx.Export("url", url)
	ctx.Export("candidateUrl", candidate)
}
