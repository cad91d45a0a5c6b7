package stack

import (
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/cloudrunv2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// apiService is the API of a system: a Cloud Run service that scales to zero.
type apiService struct {
	*component

	name, url, candidateURL pulumi.StringOutput
}

// apiProgram is the API of the image.
func apiProgram(cfg Config, system, database, image string) program {
	p := serving(cfg, system, database, "api")
	p.Image = image
	p.Env["ESTELA_LISTEN"] = fmt.Sprintf("0.0.0.0:%d", apiPort)
	p.Env["ESTELA_KEYS"] = keysDir + "/" + keysFile
	p.Env["ESTELA_RATE_LIMIT"] = "100"
	return p
}

func newAPI(ctx *pulumi.Context, cfg Config, system, database string, n *network, s *secrets, parent pulumi.Resource) (*apiService, error) {
	c, err := newComponent(ctx, cfg, "API", system+"-api", pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	as, err := c.newAccount(system+"-api", "Serves the API of "+system)
	if err != nil {
		return nil, err
	}
	if err := c.grant(as, telemetry...); err != nil {
		return nil, err
	}
	for _, id := range []string{motherduckToken, apiKeys} {
		if err := s.allow(as, id); err != nil {
			return nil, err
		}
	}
	a := &apiService{component: c}
	service := system + "-api"
	options := []pulumi.ResourceOption{
		pulumi.DependsOn(as.needs), pulumi.Timeouts(&pulumi.CustomTimeouts{Create: "15m", Update: "15m"}),
	}
	if cfg.Candidate != "" {
		// What serves was made with the settings of its time. With others since, its name would be
		// another, of a revision that doesn't exist.
		options = append(options, pulumi.IgnoreChanges([]string{"traffics[0].revision"}))
	}
	run, err := cloudrunv2.NewService(ctx, service, a.service(service, system, database, n, as), c.child(options...))
	if err != nil {
		return nil, fmt.Errorf("register API of %s: %w", system, err)
	}
	if err := a.admit(run, service); err != nil {
		return nil, err
	}
	a.name, a.url = run.Name, run.Uri
	a.candidateURL = run.TrafficStatuses.ApplyT(candidateURL).(pulumi.StringOutput) //nolint:forcetypeassert // ApplyT's own rule
	return a, c.outputs(pulumi.Map{"url": a.url, "candidateUrl": a.candidateURL})
}

// service has the template of the candidate, if there is one, and keeps all traffic on
// the image that serves.
func (a *apiService) service(name, system, database string, n *network, as *account) *cloudrunv2.ServiceArgs {
	newest := a.template(apiProgram(a.cfg, system, database, a.cfg.Image), system)
	traffic := cloudrunv2.ServiceTrafficArray{&cloudrunv2.ServiceTrafficArgs{
		Type: pulumi.String(byRevision), Revision: pulumi.String(revisionOf(name, newest)), Percent: pulumi.Int(100),
	}}
	if a.cfg.Candidate != "" {
		newest = a.template(apiProgram(a.cfg, system, database, a.cfg.Candidate), system)
		traffic = append(traffic, &cloudrunv2.ServiceTrafficArgs{
			Type: pulumi.String(byRevision), Revision: pulumi.String(revisionOf(name, newest)), Percent: pulumi.Int(0), Tag: pulumi.String(candidateTag),
		})
	}
	newest.Revision = pulumi.String(revisionOf(name, newest))
	newest.ServiceAccount = as.email
	newest.VpcAccess = &cloudrunv2.ServiceTemplateVpcAccessArgs{
		Egress: pulumi.String("PRIVATE_RANGES_ONLY"), // MotherDuck is on the internet
		NetworkInterfaces: cloudrunv2.ServiceTemplateVpcAccessNetworkInterfaceArray{
			&cloudrunv2.ServiceTemplateVpcAccessNetworkInterfaceArgs{Network: n.id, Subnetwork: n.subnet},
		},
	}
	return &cloudrunv2.ServiceArgs{
		Name: pulumi.String(name), Project: pulumi.String(a.cfg.Project), Location: pulumi.String(a.cfg.Region),
		Ingress:            pulumi.String("INGRESS_TRAFFIC_ALL"),
		DeletionProtection: pulumi.Bool(false), // it holds nothing
		Labels:             a.labelled(system),
		Traffics:           traffic,
		Template:           newest,
	}
}

// template is all of a revision that is known beforehand.
func (a *apiService) template(p program, system string) *cloudrunv2.ServiceTemplateArgs {
	return &cloudrunv2.ServiceTemplateArgs{
		ExecutionEnvironment:          pulumi.String("EXECUTION_ENVIRONMENT_GEN2"),
		MaxInstanceRequestConcurrency: pulumi.Int(200),
		Timeout:                       pulumi.String("60s"),
		Labels:                        a.labelled(system),
		Scaling:                       &cloudrunv2.ServiceTemplateScalingArgs{MinInstanceCount: pulumi.Int(0), MaxInstanceCount: pulumi.Int(a.cfg.MaxInstances)},
		Volumes: cloudrunv2.ServiceTemplateVolumeArray{&cloudrunv2.ServiceTemplateVolumeArgs{
			Name: pulumi.String("keys"),
			Secret: &cloudrunv2.ServiceTemplateVolumeSecretArgs{
				Secret: pulumi.String(system + "-" + apiKeys),
				// The newest version, read again while the API runs: keys are exchanged without a restart.
				Items: cloudrunv2.ServiceTemplateVolumeSecretItemArray{
					&cloudrunv2.ServiceTemplateVolumeSecretItemArgs{Path: pulumi.String(keysFile), Version: latest},
				},
			},
		}},
		Containers: cloudrunv2.ServiceTemplateContainerArray{p.serviceContainer()},
	}
}

const (
	byRevision   = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
	candidateTag = "candidate"
)

// probePath is answered without a key, and not before every endpoint fits its tables.
const probePath = "/livez"

func (p program) serviceContainer() *cloudrunv2.ServiceTemplateContainerArgs {
	var env cloudrunv2.ServiceTemplateContainerEnvArray
	for _, one := range p.environment() {
		arg := &cloudrunv2.ServiceTemplateContainerEnvArgs{Name: one.name, Value: one.value}
		if one.secret != "" {
			arg.ValueSource = &cloudrunv2.ServiceTemplateContainerEnvValueSourceArgs{
				SecretKeyRef: &cloudrunv2.ServiceTemplateContainerEnvValueSourceSecretKeyRefArgs{Secret: one.secret, Version: latest},
			}
		}
		env = append(env, arg)
	}
	return &cloudrunv2.ServiceTemplateContainerArgs{
		Name: pulumi.String("estela"), Image: pulumi.String(p.Image), Args: pulumi.ToStringArray(p.Args), Envs: env,
		Ports:        &cloudrunv2.ServiceTemplateContainerPortsArgs{ContainerPort: pulumi.Int(apiPort)},
		VolumeMounts: cloudrunv2.ServiceTemplateContainerVolumeMountArray{&cloudrunv2.ServiceTemplateContainerVolumeMountArgs{Name: pulumi.String("keys"), MountPath: pulumi.String(keysDir)}},
		Resources: &cloudrunv2.ServiceTemplateContainerResourcesArgs{
			Limits:          pulumi.StringMap{"cpu": pulumi.String(p.CPU), "memory": pulumi.String(p.Memory)},
			CpuIdle:         pulumi.Bool(false), // answers are refreshed and metrics sent between requests too
			StartupCpuBoost: pulumi.Bool(true),
		},
		StartupProbe: &cloudrunv2.ServiceTemplateContainerStartupProbeArgs{
			HttpGet:       &cloudrunv2.ServiceTemplateContainerStartupProbeHttpGetArgs{Path: pulumi.String(probePath), Port: pulumi.Int(apiPort)},
			PeriodSeconds: pulumi.Int(3), TimeoutSeconds: pulumi.Int(3), FailureThreshold: pulumi.Int(40),
		},
		LivenessProbe: &cloudrunv2.ServiceTemplateContainerLivenessProbeArgs{
			HttpGet:       &cloudrunv2.ServiceTemplateContainerLivenessProbeHttpGetArgs{Path: pulumi.String(probePath), Port: pulumi.Int(apiPort)},
			PeriodSeconds: pulumi.Int(10), TimeoutSeconds: pulumi.Int(5), FailureThreshold: pulumi.Int(3),
		},
	}
}

// admit says who gets past Cloud Run. The API asks for a key all the same.
func (a *apiService) admit(run *cloudrunv2.Service, service string) error {
	members := a.cfg.Invokers
	if a.cfg.Public {
		members = []string{"allUsers"}
	}
	for i, member := range members {
		_, err := cloudrunv2.NewServiceIamMember(a.ctx, fmt.Sprintf("%s-invoker-%d", service, i), &cloudrunv2.ServiceIamMemberArgs{
			Project: pulumi.String(a.cfg.Project), Location: pulumi.String(a.cfg.Region), Name: run.Name,
			Role: pulumi.String("roles/run.invoker"), Member: pulumi.String(member),
		}, a.child())
		if err != nil {
			return fmt.Errorf("let %s call %s: %w", member, service, err)
		}
	}
	return nil
}

// candidateURL is the address of the revision without traffic; empty without one.
func candidateURL(all []cloudrunv2.ServiceTrafficStatus) string {
	for _, s := range all {
		if s.Tag != nil && *s.Tag == candidateTag && s.Uri != nil {
			return *s.Uri
		}
	}
	return ""
}
