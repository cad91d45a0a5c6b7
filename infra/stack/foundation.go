package stack

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/projects"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// foundation is what every app of the project stands on, and what lets GitHub deploy
// them.
func foundation(ctx *pulumi.Context, cfg Config) error {
	services, err := newServices(ctx, cfg)
	if err != nil {
		return err
	}
	ready := pulumi.DependsOn(services)
	st, err := newState(ctx, cfg, ready)
	if err != nil {
		return err
	}
	images, err := newRegistry(ctx, cfg, ready)
	if err != nil {
		return err
	}
	pool, err := newFederation(ctx, cfg, ready)
	if err != nil {
		return err
	}
	if err := newDeployer(ctx, cfg, st, images, pool, ready); err != nil {
		return err
	}
	if cfg.PreviewFrom != "" {
		if err := newPreviewer(ctx, cfg, st, pool, ready); err != nil {
			return err
		}
	}
	return newBudget(ctx, cfg, ready)
}

// apis are the project services that the stacks use.
var apis = []string{
	"artifactregistry", "billingbudgets", "cloudkms", "cloudresourcemanager", "cloudscheduler", "cloudtrace", "compute", "iam",
	"iamcredentials", "memorystore", "monitoring", "networkconnectivity", "run", "secretmanager", "serviceconsumermanagement",
	"storage", "sts", "telemetry",
}

func newServices(ctx *pulumi.Context, cfg Config) ([]pulumi.Resource, error) {
	c, err := newComponent(ctx, cfg, "Services", "services")
	if err != nil {
		return nil, err
	}
	var all []pulumi.Resource
	for _, name := range apis {
		s, err := projects.NewService(ctx, name, &projects.ServiceArgs{
			Project: pulumi.String(cfg.Project), Service: pulumi.String(name + ".googleapis.com"),
			DisableOnDestroy: pulumi.Bool(false), // others in the project may use it too
		}, c.child())
		if err != nil {
			return nil, fmt.Errorf("register service %s: %w", name, err)
		}
		all = append(all, s)
	}
	return all, c.outputs(pulumi.Map{})
}

// deployerRoles are what `dagger call deploy` needs, and why.
var deployerRoles = []string{
	"roles/run.admin",                                // services, worker pools, jobs and who may call them
	"roles/cloudscheduler.admin",                     // the canary's schedule
	"roles/memorystore.admin",                        // Valkey
	"roles/compute.networkAdmin",                     // VPC and subnet
	"roles/networkconnectivity.consumerNetworkAdmin", // the service connection policy
	"roles/iam.serviceAccountAdmin",                  // the accounts that the parts run as
	"roles/iam.serviceAccountUser",                   // to let the parts run as these
	"roles/monitoring.editor",                        // SLOs, alerts, dashboards; budgets are asked for
	"roles/telemetry.metricsWriter",                  // how each deployment ended
}

// grantable are the roles that the deployer may give to others.
var grantable = append([]string{"roles/memorystore.dbConnectionUser"}, telemetry...)

// previewerRoles read what the deployer writes, and no data: neither secrets' values
// nor streams.
var previewerRoles = []string{
	"roles/run.viewer", "roles/cloudscheduler.viewer", "roles/memorystore.viewer", "roles/compute.networkViewer",
	"roles/networkconnectivity.consumerNetworkViewer", "roles/secretmanager.viewer", "roles/iam.securityReviewer", "roles/monitoring.viewer",
}

func newDeployer(ctx *pulumi.Context, cfg Config, st *state, images *registry, pool *federation, ready pulumi.ResourceOption) error {
	c, err := newComponent(ctx, cfg, "Deployer", "deployer", ready)
	if err != nil {
		return err
	}
	a, err := c.newAccount("estela-deployer", "What GitHub's deployments act as")
	if err != nil {
		return err
	}
	if err := c.grant(a, deployerRoles...); err != nil {
		return err
	}
	if err := c.keepSecrets(a); err != nil {
		return err
	}
	quoted := make([]string, len(grantable))
	for i, role := range grantable {
		quoted[i] = "'" + role + "'"
	}
	// Without the condition the right to grant roles is the right to everything.
	if err := c.grantIf(a, "roles/resourcemanager.projectIamAdmin", &projects.IAMMemberConditionArgs{
		Title: pulumi.String("the runtime's roles"),
		Expression: pulumi.String("api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([" +
			strings.Join(quoted, ", ") + "])"),
	}); err != nil {
		return err
	}
	if err := st.open(c, a, "roles/storage.objectUser", "roles/cloudkms.cryptoKeyEncrypterDecrypter"); err != nil {
		return err
	}
	if err := images.open(c, a, "roles/artifactregistry.writer"); err != nil {
		return err
	}
	for _, environment := range cfg.Environments {
		if err := pool.admit(c, a, environment); err != nil {
			return err
		}
	}
	ctx.Export("deployer", a.email)
	return c.outputs(pulumi.Map{"email": a.email})
}

// keepSecrets lets an account make secrets and say who reads them. The ready-made role for
// that reads their values as well.
func (c *component) keepSecrets(a *account) error {
	role, err := projects.NewIAMCustomRole(c.ctx, "secret-keeper", &projects.IAMCustomRoleArgs{
		Project: pulumi.String(c.cfg.Project), RoleId: pulumi.String("estelaSecretKeeper"), Title: pulumi.String("Estela: secrets without their values"),
		Permissions: pulumi.ToStringArray([]string{
			"secretmanager.secrets.create", "secretmanager.secrets.delete", "secretmanager.secrets.get", "secretmanager.secrets.getIamPolicy",
			"secretmanager.secrets.list", "secretmanager.secrets.setIamPolicy", "secretmanager.secrets.update",
		}),
	}, c.child())
	if err != nil {
		return fmt.Errorf("register role for secrets: %w", err)
	}
	grant, err := projects.NewIAMMember(c.ctx, a.name+"-secret-keeper", &projects.IAMMemberArgs{
		Project: pulumi.String(c.cfg.Project), Role: role.Name, Member: a.member,
	}, c.child())
	if err != nil {
		return fmt.Errorf("grant role for secrets to %s: %w", a.name, err)
	}
	a.needs = append(a.needs, grant)
	return nil
}

func newPreviewer(ctx *pulumi.Context, cfg Config, st *state, pool *federation, ready pulumi.ResourceOption) error {
	c, err := newComponent(ctx, cfg, "Previewer", "previewer", ready)
	if err != nil {
		return err
	}
	a, err := c.newAccount("estela-previewer", "Looks at what a deployment would change")
	if err != nil {
		return err
	}
	if err := c.grant(a, previewerRoles...); err != nil {
		return err
	}
	if err := st.open(c, a, "roles/storage.objectViewer", "roles/cloudkms.cryptoKeyDecrypter"); err != nil {
		return err
	}
	if err := pool.admit(c, a, cfg.PreviewFrom); err != nil {
		return err
	}
	ctx.Export("previewer", a.email)
	return c.outputs(pulumi.Map{"email": a.email})
}
