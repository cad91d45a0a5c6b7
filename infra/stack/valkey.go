package stack

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/memorystore"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// valkeyVersion is the oldest that Memorystore offers and that is tested against
// (ci/pin).
const valkeyVersion = "VALKEY_8_0"

// valkey is the server of a system's streams.
type valkey struct {
	*component

	// name is the instance's full name, url and ca what the services are told.
	name    string
	url, ca pulumi.StringOutput
}

func newValkey(ctx *pulumi.Context, cfg Config, system string, n *network, parent pulumi.Resource) (*valkey, error) {
	c, err := newComponent(ctx, cfg, "Valkey", system+"-valkey", pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	instance, err := memorystore.NewInstance(ctx, system+"-streams", &memorystore.InstanceArgs{
		InstanceId:    pulumi.String(system),
		Project:       pulumi.String(cfg.Project),
		Location:      pulumi.String(cfg.Region),
		Mode:          pulumi.String("CLUSTER_DISABLED"), // the streams of a dataset need no more than one node carries
		ShardCount:    pulumi.Int(1),
		ReplicaCount:  pulumi.Int(cfg.Replicas),
		NodeType:      pulumi.String(cfg.NodeType),
		EngineVersion: pulumi.String(valkeyVersion),
		// A full server stops producers; one that evicts would lose events.
		EngineConfigs:         pulumi.StringMap{"maxmemory-policy": pulumi.String("noeviction")},
		AuthorizationMode:     pulumi.String("IAM_AUTH"),
		TransitEncryptionMode: pulumi.String("SERVER_AUTHENTICATION"),
		PersistenceConfig: &memorystore.InstancePersistenceConfigArgs{
			Mode:      pulumi.String("AOF"),
			AofConfig: &memorystore.InstancePersistenceConfigAofConfigArgs{AppendFsync: pulumi.String("EVERY_SEC")},
		},
		DesiredAutoCreatedEndpoints: memorystore.InstanceDesiredAutoCreatedEndpointArray{
			&memorystore.InstanceDesiredAutoCreatedEndpointArgs{Network: n.id, ProjectId: pulumi.String(cfg.Project)},
		},
		DeletionProtectionEnabled: pulumi.Bool(cfg.Protect),
		Labels:                    c.labelled(system),
	}, c.guarded(pulumi.DependsOn([]pulumi.Resource{n.ready}), pulumi.DeleteBeforeReplace(true), // its name can't be had twice
		pulumi.Timeouts(&pulumi.CustomTimeouts{Create: "60m", Update: "120m", Delete: "30m"})))
	if err != nil {
		return nil, fmt.Errorf("register Valkey of %s: %w", system, err)
	}
	v := &valkey{
		component: c,
		name:      fmt.Sprintf("projects/%s/locations/%s/instances/%s", cfg.Project, cfg.Region, system),
		url:       instance.Endpoints.ApplyT(endpoint).(pulumi.StringOutput),            //nolint:forcetypeassert // ApplyT's own rule
		ca:        instance.ManagedServerCas.ApplyT(certificates).(pulumi.StringOutput), //nolint:forcetypeassert // ApplyT's own rule
	}
	return v, c.outputs(pulumi.Map{"url": v.url})
}

// endpoint is the URL of the instance's primary endpoint.
func endpoint(all []memorystore.InstanceEndpoint) (string, error) {
	for _, e := range all {
		for _, c := range e.Connections {
			p := c.PscAutoConnection
			if p == nil || p.IpAddress == nil || p.ConnectionType != nil && *p.ConnectionType == "CONNECTION_TYPE_READER" {
				continue
			}
			port := 6379
			if p.Port != nil {
				port = *p.Port
			}
			return fmt.Sprintf("rediss://%s:%d", *p.IpAddress, port), nil
		}
	}
	return "", errors.New("valkey has no primary endpoint: see whether the service connection policy covers its network, then run pulumi refresh and pulumi up")
}

// certificates are those of all authorities that may have signed the server's.
func certificates(all []memorystore.InstanceManagedServerCa) (string, error) {
	var pem strings.Builder
	for _, ca := range all {
		for _, cert := range ca.CaCerts {
			for _, text := range cert.Certificates {
				pem.WriteString(strings.TrimSpace(text) + "\n")
			}
		}
	}
	if pem.Len() == 0 {
		return "", errors.New("valkey names no certificate authority: see whether its transit encryption is on, then run pulumi refresh and pulumi up")
	}
	return pem.String(), nil
}
