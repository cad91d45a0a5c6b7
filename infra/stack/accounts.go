package stack

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/projects"
	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// account is a service account that something runs as. None has a key.
type account struct {
	name          string
	email, member pulumi.StringOutput
	resource      *serviceaccount.Account
	// needs are its rights: what runs as it must wait for them.
	needs []pulumi.Resource
}

// newAccount makes one for a part of a system.
func (c *component) newAccount(id, purpose string) (*account, error) {
	sa, err := serviceaccount.NewAccount(c.ctx, id, &serviceaccount.AccountArgs{
		AccountId:   pulumi.String(id),
		Project:     pulumi.String(c.cfg.Project),
		DisplayName: pulumi.String(id),
		Description: pulumi.String(purpose),
	}, c.child())
	if err != nil {
		return nil, fmt.Errorf("register account %s: %w", id, err)
	}
	return &account{name: id, email: sa.Email, member: pulumi.Sprintf("serviceAccount:%s", sa.Email), resource: sa}, nil
}

// grant gives an account roles in the project, each for what it says.
func (c *component) grant(a *account, roles ...string) error {
	for _, role := range roles {
		if err := c.grantIf(a, role, nil); err != nil {
			return err
		}
	}
	return nil
}

// grantIf gives a role under a condition.
func (c *component) grantIf(a *account, role string, condition *projects.IAMMemberConditionArgs) error {
	args := &projects.IAMMemberArgs{
		Project: pulumi.String(c.cfg.Project), Role: pulumi.String(role), Member: a.member,
	}
	if condition != nil {
		args.Condition = condition
	}
	name := a.name + "-" + strings.ReplaceAll(strings.TrimPrefix(role, "roles/"), ".", "-")
	grant, err := projects.NewIAMMember(c.ctx, name, args, c.child())
	if err != nil {
		return fmt.Errorf("grant %s to %s: %w", role, a.name, err)
	}
	a.needs = append(a.needs, grant)
	return nil
}

// telemetry is what every part of a system may write: metrics and traces.
var telemetry = []string{"roles/telemetry.writer", "roles/monitoring.metricWriter", "roles/cloudtrace.agent"}

// connect lets an account log in to one Valkey and no other of the project.
func (v *valkey) connect(a *account) error {
	return v.grantIf(a, "roles/memorystore.dbConnectionUser", &projects.IAMMemberConditionArgs{
		Title:      pulumi.String("this instance"),
		Expression: pulumi.Sprintf("resource.name == %q", v.name),
	})
}
