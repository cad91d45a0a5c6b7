package stack

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/kms"
	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/storage"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// state is where Pulumi keeps what it knows, and the key for the secrets in it.
type state struct {
	*component

	bucket *storage.Bucket
	key    *kms.CryptoKey
}

func newState(ctx *pulumi.Context, cfg Config, ready pulumi.ResourceOption) (*state, error) {
	c, err := newComponent(ctx, cfg, "State", "state", ready)
	if err != nil {
		return nil, err
	}
	s := &state{component: c}
	if s.bucket, err = storage.NewBucket(ctx, "state", bucketOf(c), c.guarded()); err != nil {
		return nil, fmt.Errorf("register state bucket: %w", err)
	}
	ring, err := kms.NewKeyRing(ctx, "keys", &kms.KeyRingArgs{
		Project: pulumi.String(cfg.Project), Location: pulumi.String(cfg.Region), Name: pulumi.String("estela"),
	}, c.guarded())
	if err != nil {
		return nil, fmt.Errorf("register key ring: %w", err)
	}
	s.key, err = kms.NewCryptoKey(ctx, "pulumi", &kms.CryptoKeyArgs{
		KeyRing: ring.ID(), Name: pulumi.String("pulumi"), Purpose: pulumi.String("ENCRYPT_DECRYPT"),
		RotationPeriod:           pulumi.String("7776000s"), // 90 days; old versions go on decrypting
		DestroyScheduledDuration: pulumi.String("2592000s"), // 30 days to think again
		Labels:                   c.labels,
	}, c.guarded())
	if err != nil {
		return nil, fmt.Errorf("register key: %w", err)
	}
	ctx.Export("state", pulumi.Sprintf("gs://%s", s.bucket.Name))
	ctx.Export("secretsProvider", pulumi.Sprintf("gcpkms://%s", s.key.ID()))
	return s, c.outputs(pulumi.Map{})
}

// bucketOf keeps every version of a state for 90 days after the next.
func bucketOf(c *component) *storage.BucketArgs {
	return &storage.BucketArgs{
		Project: pulumi.String(c.cfg.Project), Name: pulumi.String(c.cfg.Project + "-estela-state"),
		Location: pulumi.String(strings.ToUpper(c.cfg.Region)), StorageClass: pulumi.String("STANDARD"),
		UniformBucketLevelAccess: pulumi.Bool(true), PublicAccessPrevention: pulumi.String("enforced"),
		ForceDestroy: pulumi.Bool(false), Labels: c.labels,
		Versioning:       &storage.BucketVersioningArgs{Enabled: pulumi.Bool(true)},
		SoftDeletePolicy: &storage.BucketSoftDeletePolicyArgs{RetentionDurationSeconds: pulumi.Int(604800)},
		LifecycleRules: storage.BucketLifecycleRuleArray{&storage.BucketLifecycleRuleArgs{
			Action:    &storage.BucketLifecycleRuleActionArgs{Type: pulumi.String("Delete")},
			Condition: &storage.BucketLifecycleRuleConditionArgs{DaysSinceNoncurrentTime: pulumi.Int(90), WithState: pulumi.String("ARCHIVED")},
		}},
	}
}

// open gives an account one role on the bucket and one on the key.
func (s *state) open(c *component, a *account, onBucket, onKey string) error {
	if _, err := storage.NewBucketIAMMember(c.ctx, a.name+"-state", &storage.BucketIAMMemberArgs{
		Bucket: s.bucket.Name, Role: pulumi.String(onBucket), Member: a.member,
	}, c.child()); err != nil {
		return fmt.Errorf("open the state to %s: %w", a.name, err)
	}
	if _, err := kms.NewCryptoKeyIAMMember(c.ctx, a.name+"-key", &kms.CryptoKeyIAMMemberArgs{
		CryptoKeyId: s.key.ID(), Role: pulumi.String(onKey), Member: a.member,
	}, c.child()); err != nil {
		return fmt.Errorf("open the key to %s: %w", a.name, err)
	}
	return nil
}
