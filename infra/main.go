// Command infra is Estela on Google Cloud, a Pulumi program: `pulumi up` runs it.
package main

import (
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/estela-dev/estela/infra/stack"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		values, err := stack.Values(os.Getenv(pulumi.EnvConfig))
		if err != nil {
			return err
		}
		return stack.Program(ctx, values)
	})
}
