package stack

import (
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/cloudrunv2"
	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/cloudscheduler"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// newCanary sends a sign of life through a system on schedule and reads it back: the
// image's own smoke, as a job.
func newCanary(ctx *pulumi.Context, cfg Config, system string, n *network, v *valkey, s *secrets, api *apiService, parent pulumi.Resource) error {
	c, err := newComponent(ctx, cfg, "Canary", system+"-canary", pulumi.Parent(parent))
	if err != nil {
		return err
	}
	as, err := c.newAccount(system+"-canary", "Publishes canaries to "+system+" and reads them back")
	if err != nil {
		return err
	}
	if err := v.connect(as); err != nil {
		return err
	}
	if err := s.allow(as, smokeKey); err != nil {
		return err
	}
	p := base(cfg, "smoke")
	p.CPU, p.Memory = "1", "512Mi"
	p.Secrets["ESTELA_SMOKE_TOKEN"] = system + "-" + smokeKey
	p.Late = v.streamed()
	p.Late["ESTELA_URL"] = api.url
	var env cloudrunv2.JobTemplateTemplateContainerEnvArray
	for _, one := range p.environment() {
		arg := &cloudrunv2.JobTemplateTemplateContainerEnvArgs{Name: one.name, Value: one.value}
		if one.secret != "" {
			arg.ValueSource = &cloudrunv2.JobTemplateTemplateContainerEnvValueSourceArgs{
				SecretKeyRef: &cloudrunv2.JobTemplateTemplateContainerEnvValueSourceSecretKeyRefArgs{Secret: one.secret, Version: latest},
			}
		}
		env = append(env, arg)
	}
	job, err := cloudrunv2.NewJob(ctx, system+"-canary", &cloudrunv2.JobArgs{
		Name: pulumi.String(system + "-canary"), Project: pulumi.String(cfg.Project), Location: pulumi.String(cfg.Region),
		DeletionProtection: pulumi.Bool(false), // it holds nothing
		Labels:             c.labelled(system),
		Template: &cloudrunv2.JobTemplateArgs{
			Labels: c.labelled(system),
			Template: &cloudrunv2.JobTemplateTemplateArgs{
				ServiceAccount: as.email, MaxRetries: pulumi.Int(0), Timeout: pulumi.String("180s"),
				VpcAccess: &cloudrunv2.JobTemplateTemplateVpcAccessArgs{
					Egress: pulumi.String("PRIVATE_RANGES_ONLY"),
					NetworkInterfaces: cloudrunv2.JobTemplateTemplateVpcAccessNetworkInterfaceArray{
						&cloudrunv2.JobTemplateTemplateVpcAccessNetworkInterfaceArgs{Network: n.id, Subnetwork: n.subnet},
					},
				},
				Containers: cloudrunv2.JobTemplateTemplateContainerArray{&cloudrunv2.JobTemplateTemplateContainerArgs{
					Name: pulumi.String("estela"), Image: pulumi.String(p.Image), Args: pulumi.ToStringArray(p.Args), Envs: env,
					Resources: &cloudrunv2.JobTemplateTemplateContainerResourcesArgs{
						Limits: pulumi.StringMap{"cpu": pulumi.String(p.CPU), "memory": pulumi.String(p.Memory)},
					},
				}},
			},
		},
	}, c.child(pulumi.DependsOn(as.needs)))
	if err != nil {
		return fmt.Errorf("register canary of %s: %w", system, err)
	}
	if err := c.schedule(system, job); err != nil {
		return err
	}
	return c.outputs(pulumi.Map{"job": job.Name})
}

// schedule starts the job, as an account that may do just that.
func (c *component) schedule(system string, job *cloudrunv2.Job) error {
	clock, err := c.newAccount(system+"-clock", "Starts the canary of "+system)
	if err != nil {
		return err
	}
	grant, err := cloudrunv2.NewJobIamMember(c.ctx, system+"-clock-starts-canary", &cloudrunv2.JobIamMemberArgs{
		Project: pulumi.String(c.cfg.Project), Location: pulumi.String(c.cfg.Region), Name: job.Name,
		Role: pulumi.String("roles/run.invoker"), Member: clock.member,
	}, c.child())
	if err != nil {
		return fmt.Errorf("let the clock of %s start the canary: %w", system, err)
	}
	_, err = cloudscheduler.NewJob(c.ctx, system+"-canary-schedule", &cloudscheduler.JobArgs{
		Name: pulumi.String(system + "-canary"), Project: pulumi.String(c.cfg.Project), Region: pulumi.String(c.cfg.Region),
		Description: pulumi.String("A sign of life of " + system),
		Schedule:    pulumi.String(c.cfg.Canary), TimeZone: pulumi.String("Etc/UTC"),
		AttemptDeadline: pulumi.String("30s"),
		RetryConfig:     &cloudscheduler.JobRetryConfigArgs{RetryCount: pulumi.Int(0)}, // a missed one is a finding
		HttpTarget: &cloudscheduler.JobHttpTargetArgs{
			HttpMethod: pulumi.String("POST"),
			Uri:        pulumi.Sprintf("https://run.googleapis.com/v2/projects/%s/locations/%s/jobs/%s:run", c.cfg.Project, c.cfg.Region, job.Name),
			OauthToken: &cloudscheduler.JobHttpTargetOauthTokenArgs{
				ServiceAccountEmail: clock.email, Scope: pulumi.String("https://www.googleapis.com/auth/cloud-platform"),
			},
		},
	}, c.child(pulumi.DependsOn([]pulumi.Resource{grant})))
	if err != nil {
		return fmt.Errorf("schedule canary of %s: %w", system, err)
	}
	return nil
}
