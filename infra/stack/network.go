package stack

import (
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/networkconnectivity"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// providerVersion is that of the SDK in go.mod: resources registered by their token
// must ask for it themselves, or they would get another provider.
const providerVersion = "8.41.1"

// network is a VPC with one subnet, and the right of Memorystore to put its endpoints
// there. Nothing in it has an address on the internet.
type network struct {
	*component

	id, subnet pulumi.StringOutput
	// ready is what an instance of Memorystore must wait for.
	ready pulumi.Resource
}

// registered is a resource known by its token.
type registered struct {
	pulumi.CustomResourceState

	// SelfLink is the resource's address, as others refer to it.
	SelfLink pulumi.StringOutput `pulumi:"selfLink"`
}

func newNetwork(ctx *pulumi.Context, cfg Config) (*network, error) {
	c, err := newComponent(ctx, cfg, "Network", "network")
	if err != nil {
		return nil, err
	}
	n := &network{component: c}
	name := "estela-" + ctx.Stack()
	version := pulumi.Version(providerVersion)
	var vpc, subnet registered
	if err := ctx.RegisterResource("gcp:compute/network:Network", "vpc", pulumi.Map{
		"name":                  pulumi.String(name),
		"project":               pulumi.String(cfg.Project),
		"autoCreateSubnetworks": pulumi.Bool(false),
		"routingMode":           pulumi.String("REGIONAL"),
	}, &vpc, c.child(version)); err != nil {
		return nil, fmt.Errorf("register network: %w", err)
	}
	n.id = vpc.ID().ToStringOutput()
	if err := ctx.RegisterResource("gcp:compute/subnetwork:Subnetwork", "subnet", pulumi.Map{
		"name":    pulumi.String(name),
		"project": pulumi.String(cfg.Project),
		"region":  pulumi.String(cfg.Region),
		"network": n.id,
		// Cloud Run takes several addresses an instance while revisions change.
		"ipCidrRange":           pulumi.String("10.8.0.0/24"),
		"privateIpGoogleAccess": pulumi.Bool(true),
		"purpose":               pulumi.String("PRIVATE"),
		"stackType":             pulumi.String("IPV4_ONLY"),
	}, &subnet, c.child(version)); err != nil {
		return nil, fmt.Errorf("register subnet: %w", err)
	}
	n.subnet = subnet.ID().ToStringOutput()
	policy, err := networkconnectivity.NewServiceConnectionPolicy(ctx, "memorystore", &networkconnectivity.ServiceConnectionPolicyArgs{
		Name:         pulumi.String(name + "-memorystore"),
		Project:      pulumi.String(cfg.Project),
		Location:     pulumi.String(cfg.Region),
		Network:      n.id,
		ServiceClass: pulumi.String("gcp-memorystore"),
		Description:  pulumi.String("Endpoints of Memorystore for Valkey"),
		Labels:       c.labels,
		PscConfig: &networkconnectivity.ServiceConnectionPolicyPscConfigArgs{
			Subnetworks: pulumi.StringArray{n.subnet},
		},
	}, c.child())
	if err != nil {
		return nil, fmt.Errorf("register service connection policy: %w", err)
	}
	n.ready = policy
	return n, c.outputs(pulumi.Map{"network": n.id, "subnet": n.subnet})
}
