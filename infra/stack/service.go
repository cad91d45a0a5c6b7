package stack

import (
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/cloudrunv2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// probePath is answered without a key, and not before the program can do its work: an API's endpoints fit its
// tables, events by POST are such as the worker stores.
const probePath = "/livez"

// listening are the settings of what serves HTTP to those who have a key.
func (p *program) listening(system string) {
	p.Env["ESTELA_LISTEN"] = fmt.Sprintf("0.0.0.0:%d", apiPort)
	p.mount("ESTELA_KEYS", "keys", system+"-"+apiKeys)
}

// mount is a secret that a program reads as a file.
type mount struct{ name, secret string }

func (m mount) dir() string { return "/secrets/" + m.name }

// mount gives the program a secret as a file, whose path the variable has.
func (p *program) mount(variable, name, secret string) {
	m := mount{name, secret}
	p.Env[variable] = m.dir() + "/" + mountedFile
	p.Mounts = append(p.Mounts, m)
}

const mountedFile = "keys.json"

// spool is the room for large answers or requests. Cloud Run's disk is the container's memory, of which this is a quarter.
const spool = "512MB"

// template is all of a revision that is known beforehand.
func (c *component) template(p program, system string) *cloudrunv2.ServiceTemplateArgs {
	return &cloudrunv2.ServiceTemplateArgs{
		ExecutionEnvironment:          pulumi.String("EXECUTION_ENVIRONMENT_GEN2"),
		MaxInstanceRequestConcurrency: pulumi.Int(p.Concurrency),
		Timeout:                       pulumi.String(p.Timeout),
		Labels:                        c.labelled(system),
		Scaling:                       &cloudrunv2.ServiceTemplateScalingArgs{MinInstanceCount: pulumi.Int(0), MaxInstanceCount: pulumi.Int(p.Instances)},
		Volumes:                       p.volumes(),
		Containers:                    cloudrunv2.ServiceTemplateContainerArray{p.serviceContainer()},
	}
}

func (p *program) volumes() (all cloudrunv2.ServiceTemplateVolumeArray) {
	for _, m := range p.Mounts {
		all = append(all, &cloudrunv2.ServiceTemplateVolumeArgs{
			Name: pulumi.String(m.name),
			Secret: &cloudrunv2.ServiceTemplateVolumeSecretArgs{
				Secret: pulumi.String(m.secret),
				// The newest version, read again while the program runs: keys are exchanged without a restart.
				Items: cloudrunv2.ServiceTemplateVolumeSecretItemArray{
					&cloudrunv2.ServiceTemplateVolumeSecretItemArgs{Path: pulumi.String(mountedFile), Version: latest},
				},
			},
		})
	}
	return all
}

func (p *program) serviceContainer() *cloudrunv2.ServiceTemplateContainerArgs {
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
	var mounts cloudrunv2.ServiceTemplateContainerVolumeMountArray
	for _, m := range p.Mounts {
		mounts = append(mounts, &cloudrunv2.ServiceTemplateContainerVolumeMountArgs{Name: pulumi.String(m.name), MountPath: pulumi.String(m.dir())})
	}
	return &cloudrunv2.ServiceTemplateContainerArgs{
		Name: pulumi.String("estela"), Image: pulumi.String(p.Image), Args: pulumi.ToStringArray(p.Args), Envs: env,
		Ports:        &cloudrunv2.ServiceTemplateContainerPortsArgs{ContainerPort: pulumi.Int(apiPort)},
		VolumeMounts: mounts,
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

// serve registers a service with the given newest revision, in the network and as the account, and admits those who
// may call it.
func (c *component) serve(
	name, system string, newest *cloudrunv2.ServiceTemplateArgs, traffic cloudrunv2.ServiceTrafficArray, n *network, as *account,
	options ...pulumi.ResourceOption,
) (*cloudrunv2.Service, error) {
	newest.ServiceAccount = as.email
	newest.VpcAccess = &cloudrunv2.ServiceTemplateVpcAccessArgs{
		Egress: pulumi.String("PRIVATE_RANGES_ONLY"), // MotherDuck and Google's own services are on the internet
		NetworkInterfaces: cloudrunv2.ServiceTemplateVpcAccessNetworkInterfaceArray{
			&cloudrunv2.ServiceTemplateVpcAccessNetworkInterfaceArgs{Network: n.id, Subnetwork: n.subnet},
		},
	}
	options = append(options, pulumi.DependsOn(as.needs), pulumi.Timeouts(&pulumi.CustomTimeouts{Create: "15m", Update: "15m"}))
	run, err := cloudrunv2.NewService(c.ctx, name, &cloudrunv2.ServiceArgs{
		Name: pulumi.String(name), Project: pulumi.String(c.cfg.Project), Location: pulumi.String(c.cfg.Region),
		Ingress:            pulumi.String("INGRESS_TRAFFIC_ALL"),
		DeletionProtection: pulumi.Bool(false), // it holds nothing
		Labels:             c.labelled(system),
		Traffics:           traffic,
		Template:           newest,
	}, c.child(options...))
	if err != nil {
		return nil, fmt.Errorf("register service %s: %w", name, err)
	}
	return run, c.admit(run, name)
}

// admit says who gets past Cloud Run. The program asks for a key all the same.
func (c *component) admit(run *cloudrunv2.Service, service string) error {
	members := c.cfg.Invokers
	if c.cfg.Public {
		members = []string{"allUsers"}
	}
	for i, member := range members {
		_, err := cloudrunv2.NewServiceIamMember(c.ctx, fmt.Sprintf("%s-invoker-%d", service, i), &cloudrunv2.ServiceIamMemberArgs{
			Project: pulumi.String(c.cfg.Project), Location: pulumi.String(c.cfg.Region), Name: run.Name,
			Role: pulumi.String("roles/run.invoker"), Member: pulumi.String(member),
		}, c.child())
		if err != nil {
			return fmt.Errorf("let %s call %s: %w", member, service, err)
		}
	}
	return nil
}
