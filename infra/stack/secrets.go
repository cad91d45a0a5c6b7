package stack

import (
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/secretmanager"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// The secrets of a system; in Secret Manager its name stands before each.
const (
	motherduckToken = "motherduck-token" // of a service account of MotherDuck's
	apiKeys         = "api-keys"         // what `estela key new` prints, a JSON array of hashes
	tokenKeys       = "token-keys"       // a JWK set, which verifies signed tokens; with estela:jwks
	smokeKey        = "smoke-key"        // an API key, for the canary and for deployments
)

// secrets are the places of a system's secrets. Their values are put there by hand, so
// that no state has them.
type secrets struct {
	*component

	system string
	byID   map[string]*secretmanager.Secret
}

func newSecrets(ctx *pulumi.Context, cfg Config, system string, parent pulumi.Resource) (*secrets, error) {
	c, err := newComponent(ctx, cfg, "Secrets", system+"-secrets", pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	s := &secrets{c, system, map[string]*secretmanager.Secret{}}
	ids := []string{motherduckToken, apiKeys, smokeKey}
	if cfg.JWKS {
		ids = append(ids, tokenKeys)
	}
	for _, id := range ids {
		s.byID[id], err = secretmanager.NewSecret(ctx, system+"-"+id, &secretmanager.SecretArgs{
			SecretId:           pulumi.String(system + "-" + id),
			Project:            pulumi.String(cfg.Project),
			DeletionProtection: pulumi.Bool(cfg.Protect),
			Labels:             c.labelled(system),
			Replication: &secretmanager.SecretReplicationArgs{
				UserManaged: &secretmanager.SecretReplicationUserManagedArgs{
					Replicas: secretmanager.SecretReplicationUserManagedReplicaArray{
						&secretmanager.SecretReplicationUserManagedReplicaArgs{Location: pulumi.String(cfg.Region)},
					},
				},
			},
			VersionDestroyTtl: pulumi.String("604800s"), // a version destroyed by mistake comes back within a week
		}, c.guarded())
		if err != nil {
			return nil, fmt.Errorf("register secret %s of %s: %w", id, system, err)
		}
	}
	return s, c.outputs(pulumi.Map{})
}

// allow lets an account read the versions of a secret.
func (s *secrets) allow(a *account, id string) error {
	grant, err := secretmanager.NewSecretIamMember(s.ctx, a.name+"-reads-"+id, &secretmanager.SecretIamMemberArgs{
		Project:  pulumi.String(s.cfg.Project),
		SecretId: s.byID[id].SecretId,
		Role:     pulumi.String("roles/secretmanager.secretAccessor"),
		Member:   a.member,
	}, s.child())
	if err != nil {
		return fmt.Errorf("let %s read %s: %w", a.name, id, err)
	}
	a.needs = append(a.needs, grant)
	return nil
}
