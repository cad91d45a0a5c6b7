package stack

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/iam"
	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// federation lets jobs of one repository act as accounts here, without a key, if they run
// in a GitHub Environment: that is where GitHub checks branches and reviewers. A pull
// request's job has no environment, and its subject is another.
type federation struct {
	*component

	pool *iam.WorkloadIdentityPool
}

func newFederation(ctx *pulumi.Context, cfg Config, ready pulumi.ResourceOption) (*federation, error) {
	c, err := newComponent(ctx, cfg, "Federation", "federation", ready)
	if err != nil {
		return nil, err
	}
	f := &federation{component: c}
	f.pool, err = iam.NewWorkloadIdentityPool(ctx, "github", &iam.WorkloadIdentityPoolArgs{
		Project: pulumi.String(cfg.Project), WorkloadIdentityPoolId: pulumi.String("estela-github"),
		DisplayName: pulumi.String("Estela on GitHub"), Description: pulumi.String("Jobs of " + cfg.Repository),
	}, c.child())
	if err != nil {
		return nil, fmt.Errorf("register identity pool: %w", err)
	}
	provider, err := iam.NewWorkloadIdentityPoolProvider(ctx, "actions", &iam.WorkloadIdentityPoolProviderArgs{
		Project: pulumi.String(cfg.Project), WorkloadIdentityPoolId: f.pool.WorkloadIdentityPoolId,
		WorkloadIdentityPoolProviderId: pulumi.String("actions"), DisplayName: pulumi.String("GitHub Actions"),
		AttributeMapping: pulumi.StringMap{
			"google.subject":        pulumi.String("assertion.sub"),
			"attribute.repository":  pulumi.String("assertion.repository"),
			"attribute.environment": pulumi.String("assertion.environment"),
		},
		AttributeCondition: pulumi.String(attributeCondition(cfg)),
		Oidc:               &iam.WorkloadIdentityPoolProviderOidcArgs{IssuerUri: pulumi.String("https://token.actions.githubusercontent.com")},
	}, c.child())
	if err != nil {
		return nil, fmt.Errorf("register identity provider: %w", err)
	}
	ctx.Export("workloadIdentityProvider", provider.Name)
	return f, c.outputs(pulumi.Map{"provider": provider.Name})
}

// attributeCondition is checked for every token, before any account's own binding.
func attributeCondition(cfg Config) string {
	var subjects []string
	for _, e := range append(append([]string{}, cfg.Environments...), cfg.PreviewFrom) {
		if e != "" {
			subjects = append(subjects, "'"+subject(cfg, e)+"'")
		}
	}
	// The number, because a name that was given up can be taken by others.
	return fmt.Sprintf("assertion.repository == '%s' && assertion.repository_id == '%d' && !assertion.event_name.startsWith('pull_request') && assertion.sub in [%s]",
		cfg.Repository, cfg.RepositoryID, strings.Join(subjects, ", "))
}

// subject is what GitHub calls a job that runs in an environment.
func subject(cfg Config, environment string) string {
	return "repo:" + cfg.Repository + ":environment:" + environment
}

// admit lets jobs of an environment act as the account.
func (f *federation) admit(c *component, a *account, environment string) error {
	_, err := serviceaccount.NewIAMMember(c.ctx, a.name+"-from-"+environment, &serviceaccount.IAMMemberArgs{
		ServiceAccountId: a.resource.Name, Role: pulumi.String("roles/iam.workloadIdentityUser"),
		Member: pulumi.Sprintf("principal://iam.googleapis.com/%s/subject/%s", f.pool.Name, subject(c.cfg, environment)),
	}, c.child())
	if err != nil {
		return fmt.Errorf("let jobs of %s act as %s: %w", environment, a.name, err)
	}
	return nil
}
