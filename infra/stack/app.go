package stack

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/cloudrunv2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// system is one pipeline of an app: streams, warehouse, worker, API.
type system struct {
	name     string
	database string
	// api, worker and ingest are nil without an image, ingest also where events are not taken by POST.
	api    *apiService
	worker *cloudrunv2.WorkerPool
	ingest *cloudrunv2.Service
	watch  *watched
}

// app makes one system, or as many as the fleet has, in one network.
func app(ctx *pulumi.Context, cfg Config) error {
	var err error
	if cfg.Image, err = imageOf(ctx, cfg); err != nil {
		return err
	}
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
	if err := newCauses(ctx, cfg, channels); err != nil {
		return err
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
		if s.worker, err = newWorker(ctx, cfg, s.name, s.database, n, v, secrets, c); err != nil {
			return err
		}
		if cfg.Ingest {
			if s.ingest, err = newIngest(ctx, cfg, s.name, n, v, secrets, s.worker, c); err != nil {
				return err
			}
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

// imageOf is the image of the config, or else the one that the stack said last it serves:
// the config that is committed names none, and a `pulumi up` by hand must not take the
// services away.
func imageOf(ctx *pulumi.Context, cfg Config) (string, error) {
	if cfg.Image != "" {
		return cfg.Image, nil
	}
	itself, err := pulumi.NewStackReference(ctx, "last", &pulumi.StackReferenceArgs{
		Name: pulumi.String(ctx.Organization() + "/" + ctx.Project() + "/" + ctx.Stack()),
	})
	if err != nil {
		return "", fmt.Errorf("read what the stack serves: %w", err)
	}
	last, err := itself.GetOutputDetails("image")
	if err != nil {
		return "", fmt.Errorf("read what the stack serves: %w", err)
	}
	image, _ := last.Value.(string) // none before the first deployment
	return image, nil
}

// export is what `dagger call deploy` reads, of the first system, and the addresses of
// all. The image is named once every system runs it: an update that fails half-way leaves
// the last one named.
func export(ctx *pulumi.Context, cfg Config, all []*system) {
	ctx.Export("previous", pulumi.String(cfg.Previous))
	slos, resources, urls, running := pulumi.StringArray{}, pulumi.StringArray{}, pulumi.StringMap{}, pulumi.StringArray{}
	posts, taking := pulumi.StringMap{}, pulumi.StringArray{}
	for _, s := range all {
		slos = append(slos, s.watch.slos...)
		resources = append(resources, pulumi.String(resource(cfg, s.name)))
		if s.api != nil {
			urls[s.name] = s.api.url
			running = append(running, s.api.url, s.worker.Name)
		}
		if s.ingest != nil {
			posts[s.name] = s.ingest.Uri
			taking = append(taking, s.ingest.Uri)
		}
	}
	ctx.Export("slos", slos)
	ctx.Export("resources", resources)
	ctx.Export("urls", urls)
	ctx.Export("ingestUrls", posts)
	ingestImage := pulumi.StringInput(pulumi.String(""))
	if len(taking) > 0 {
		ingestImage = taking.ToStringArrayOutput().ApplyT(func([]string) string { return cmp.Or(cfg.IngestImage, cfg.Image) }).(pulumi.StringOutput) //nolint:forcetypeassert // ApplyT's own rule
	}
	ctx.Export("ingestImage", ingestImage)
	image, url, candidate := pulumi.StringInput(pulumi.String("")), pulumi.StringInput(pulumi.String("")), pulumi.StringInput(pulumi.String(""))
	if all[0].api != nil {
		image = running.ToStringArrayOutput().ApplyT(func([]string) string { return cfg.Image }).(pulumi.StringOutput) //nolint:forcetypeassert // ApplyT's own rule
		url = all[0].api.url
		if cfg.Candidate != "" {
			candidate = all[0].api.candidateURL
		}
	}
	ctx.Export("image", image)
	ctx.Export("url", url)
	ctx.Export("candidateUrl", candidate)
}
