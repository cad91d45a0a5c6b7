package stack

import (
	"cmp"
	"strconv"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/cloudrunv2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ingestProgram takes events by POST. It has no warehouse, and so none of its secrets.
func ingestProgram(cfg Config, system string) program {
	p := base(cfg, "ingest")
	p.observed(cfg, system)
	p.listening(system)
	p.Image = cmp.Or(cfg.IngestImage, cfg.Image)
	// Cloud Run sends no more requests than these to an instance, and starts another before.
	p.Concurrency, p.Instances = cfg.IngestConcurrency, cfg.IngestInstances
	p.Env["ESTELA_INGEST_IN_FLIGHT"] = strconv.Itoa(p.Concurrency)
	p.Env["ESTELA_INGEST_WAITING"] = strconv.Itoa(p.Concurrency)
	p.Env["ESTELA_INGEST_RATE_LIMIT"] = "100"
	p.Env["ESTELA_INGEST_SPOOL_BYTES"] = spool
	p.Timeout = "90s" // half a minute for the body, and another one until it is stored
	return p
}

// newIngest makes the service that takes events by POST and publishes them to the streams of a system. It follows the
// worker, for it refuses to start with a contract that no worker stores yet.
//
// Without named revisions and a candidate: all traffic goes to the newest revision that has started, so that one that
// doesn't gets none.
func newIngest(ctx *pulumi.Context, cfg Config, system string, n *network, v *valkey, s *secrets, worker, parent pulumi.Resource) (*cloudrunv2.Service, error) {
	name := system + "-ingest"
	c, err := newComponent(ctx, cfg, "Ingest", name, pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	as, err := c.newAccount(name, "Publishes events by POST to the streams of "+system)
	if err != nil {
		return nil, err
	}
	if err := c.grant(as, telemetry...); err != nil {
		return nil, err
	}
	if err := v.connect(as); err != nil {
		return nil, err
	}
	if err := s.allow(as, apiKeys); err != nil {
		return nil, err
	}
	p := ingestProgram(cfg, system)
	p.Late = v.streamed()
	traffic := cloudrunv2.ServiceTrafficArray{&cloudrunv2.ServiceTrafficArgs{
		Type: pulumi.String("TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"), Percent: pulumi.Int(100),
	}}
	run, err := c.serve(name, system, c.template(p, system), traffic, n, as, pulumi.DependsOn([]pulumi.Resource{worker}))
	if err != nil {
		return nil, err
	}
	return run, c.outputs(pulumi.Map{"url": run.Uri})
}
