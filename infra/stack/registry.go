package stack

import (
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/artifactregistry"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// registry is where the images lie.
type registry struct {
	*component

	repository *artifactregistry.Repository
}

func newRegistry(ctx *pulumi.Context, cfg Config, ready pulumi.ResourceOption) (*registry, error) {
	c, err := newComponent(ctx, cfg, "Registry", "registry", ready)
	if err != nil {
		return nil, err
	}
	r := &registry{component: c}
	r.repository, err = artifactregistry.NewRepository(ctx, "images", &artifactregistry.RepositoryArgs{
		Project: pulumi.String(cfg.Project), Location: pulumi.String(cfg.Region), RepositoryId: pulumi.String("estela"),
		Format: pulumi.String("DOCKER"), Description: pulumi.String("Images of Estela"), Labels: c.labels,
		DockerConfig: &artifactregistry.RepositoryDockerConfigArgs{ImmutableTags: pulumi.Bool(true)},
		// What serves or may be rolled back to is among the newest.
		CleanupPolicies: artifactregistry.RepositoryCleanupPolicyArray{
			&artifactregistry.RepositoryCleanupPolicyArgs{
				Id: pulumi.String("keep-newest"), Action: pulumi.String("KEEP"),
				MostRecentVersions: &artifactregistry.RepositoryCleanupPolicyMostRecentVersionsArgs{KeepCount: pulumi.Int(50)},
			},
			&artifactregistry.RepositoryCleanupPolicyArgs{
				Id: pulumi.String("delete-old"), Action: pulumi.String("DELETE"),
				Condition: &artifactregistry.RepositoryCleanupPolicyConditionArgs{
					TagState: pulumi.String("ANY"), OlderThan: pulumi.String("7776000s"), // 90 days
				},
			},
		},
	}, c.guarded())
	if err != nil {
		return nil, fmt.Errorf("register image repository: %w", err)
	}
	ctx.Export("registry", pulumi.Sprintf("%s-docker.pkg.dev/%s/%s/estela", cfg.Region, cfg.Project, r.repository.RepositoryId))
	return r, c.outputs(pulumi.Map{})
}

// open gives an account a role on the images.
func (r *registry) open(c *component, a *account, role string) error {
	if _, err := artifactregistry.NewRepositoryIamMember(c.ctx, a.name+"-images", &artifactregistry.RepositoryIamMemberArgs{
		Project: pulumi.String(c.cfg.Project), Location: pulumi.String(c.cfg.Region), Repository: r.repository.RepositoryId,
		Role: pulumi.String(role), Member: a.member,
	}, c.child()); err != nil {
		return fmt.Errorf("open the images to %s: %w", a.name, err)
	}
	return nil
}
