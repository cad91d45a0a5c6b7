package stack

import (
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/cloudrunv2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// workerProgram is the worker of the image.
func workerProgram(cfg Config, system, database string) program {
	p := serving(cfg, system, database, "worker")
	p.CPU, p.Memory = "2", "4Gi"
	return p
}

// newWorker makes the pool of workers of a system: they pull, so that nothing calls them.
func newWorker(ctx *pulumi.Context, cfg Config, system, database string, n *network, v *valkey, s *secrets, parent pulumi.Resource) (*cloudrunv2.WorkerPool, error) {
	c, err := newComponent(ctx, cfg, "Worker", system+"-worker", pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	as, err := c.newAccount(system+"-worker", "Carries the events of "+system+" from the streams to the warehouse")
	if err != nil {
		return nil, err
	}
	if err := c.grant(as, telemetry...); err != nil {
		return nil, err
	}
	if err := v.connect(as); err != nil {
		return nil, err
	}
	if err := s.allow(as, motherduckToken); err != nil {
		return nil, err
	}
	p := workerProgram(cfg, system, database)
	p.Late = v.streamed()
	var env cloudrunv2.WorkerPoolTemplateContainerEnvArray
	for _, one := range p.environment() {
		arg := &cloudrunv2.WorkerPoolTemplateContainerEnvArgs{Name: one.name, Value: one.value}
		if one.secret != "" {
			arg.ValueSource = &cloudrunv2.WorkerPoolTemplateContainerEnvValueSourceArgs{
				SecretKeyRef: &cloudrunv2.WorkerPoolTemplateContainerEnvValueSourceSecretKeyRefArgs{Secret: one.secret, Version: latest},
			}
		}
		env = append(env, arg)
	}
	pool, err := cloudrunv2.NewWorkerPool(ctx, system+"-worker", &cloudrunv2.WorkerPoolArgs{
		Name: pulumi.String(system + "-worker"), Project: pulumi.String(cfg.Project), Location: pulumi.String(cfg.Region),
		DeletionProtection: pulumi.Bool(false), // it holds nothing
		Labels:             c.labelled(system),
		// The count alone: with the mode MANUAL beside it every preview shows a change.
		Scaling: &cloudrunv2.WorkerPoolScalingArgs{ManualInstanceCount: pulumi.Int(cfg.Workers)},
		Template: &cloudrunv2.WorkerPoolTemplateArgs{
			ServiceAccount: as.email,
			Labels:         c.labelled(system),
			VpcAccess: &cloudrunv2.WorkerPoolTemplateVpcAccessArgs{
				Egress: pulumi.String("PRIVATE_RANGES_ONLY"),
				NetworkInterfaces: cloudrunv2.WorkerPoolTemplateVpcAccessNetworkInterfaceArray{
					&cloudrunv2.WorkerPoolTemplateVpcAccessNetworkInterfaceArgs{Network: n.id, Subnetwork: n.subnet},
				},
			},
			Containers: cloudrunv2.WorkerPoolTemplateContainerArray{&cloudrunv2.WorkerPoolTemplateContainerArgs{
				Name: pulumi.String("estela"), Image: pulumi.String(p.Image), Args: pulumi.ToStringArray(p.Args), Envs: env,
				Resources: &cloudrunv2.WorkerPoolTemplateContainerResourcesArgs{
					Limits: pulumi.StringMap{"cpu": pulumi.String(p.CPU), "memory": pulumi.String(p.Memory)},
				},
			}},
		},
	}, c.child(pulumi.DependsOn(as.needs), pulumi.Timeouts(&pulumi.CustomTimeouts{Create: "15m", Update: "15m"})))
	if err != nil {
		return nil, fmt.Errorf("register worker of %s: %w", system, err)
	}
	return pool, c.outputs(pulumi.Map{"pool": pool.Name})
}
