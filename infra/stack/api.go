package stack

import (
	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/cloudrunv2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// apiService is the API of a system: a Cloud Run service that scales to zero.
type apiService struct {
	*component

	name, url, candidateURL pulumi.StringOutput
}

// apiProgram is the API of the image.
func apiProgram(cfg Config, system, database, image string) program {
	p := serving(cfg, system, database, "api")
	p.listening(system)
	if cfg.JWKS {
		p.mount("ESTELA_TOKEN_KEYS", "tokens", system+"-"+tokenKeys)
	}
	p.Image = image
	p.Env["ESTELA_RATE_LIMIT"] = "100"
	p.Env["ESTELA_SPOOL_BYTES"] = spool
	p.Concurrency, p.Instances, p.Timeout = 200, cfg.MaxInstances, "60s"
	return p
}

func newAPI(ctx *pulumi.Context, cfg Config, system, database string, n *network, s *secrets, parent pulumi.Resource) (*apiService, error) {
	name := system + "-api"
	c, err := newComponent(ctx, cfg, "API", name, pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	as, err := c.newAccount(name, "Serves the API of "+system)
	if err != nil {
		return nil, err
	}
	if err := c.grant(as, telemetry...); err != nil {
		return nil, err
	}
	reads := []string{motherduckToken, apiKeys}
	if cfg.JWKS {
		reads = append(reads, tokenKeys)
	}
	for _, id := range reads {
		if err := s.allow(as, id); err != nil {
			return nil, err
		}
	}
	a := &apiService{component: c}
	var options []pulumi.ResourceOption
	if cfg.Candidate != "" {
		// What serves was made with the settings of its time. With others since, its name would be
		// another, of a revision that doesn't exist.
		options = append(options, pulumi.IgnoreChanges([]string{"traffics[0].revision"}))
	}
	newest, traffic := a.revisions(name, system, database)
	run, err := c.serve(name, system, newest, traffic, n, as, options...)
	if err != nil {
		return nil, err
	}
	a.name, a.url = run.Name, run.Uri
	a.candidateURL = run.TrafficStatuses.ApplyT(candidateURL).(pulumi.StringOutput) //nolint:forcetypeassert // ApplyT's own rule
	return a, c.outputs(pulumi.Map{"url": a.url, "candidateUrl": a.candidateURL})
}

// revisions are the template of the candidate, if there is one, and all traffic on the image that serves.
func (a *apiService) revisions(name, system, database string) (*cloudrunv2.ServiceTemplateArgs, cloudrunv2.ServiceTrafficArray) {
	newest := a.template(apiProgram(a.cfg, system, database, a.cfg.Image), system)
	traffic := cloudrunv2.ServiceTrafficArray{&cloudrunv2.ServiceTrafficArgs{
		Type: pulumi.String(byRevision), Revision: pulumi.String(revisionOf(name, newest)), Percent: pulumi.Int(100),
	}}
	if a.cfg.Candidate != "" {
		newest = a.template(apiProgram(a.cfg, system, database, a.cfg.Candidate), system)
		traffic = append(traffic, &cloudrunv2.ServiceTrafficArgs{
			Type: pulumi.String(byRevision), Revision: pulumi.String(revisionOf(name, newest)), Percent: pulumi.Int(0), Tag: pulumi.String(candidateTag),
		})
	}
	newest.Revision = pulumi.String(revisionOf(name, newest))
	return newest, traffic
}

const (
	byRevision   = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
	candidateTag = "candidate"
)

// candidateURL is the address of the revision without traffic; empty without one.
func candidateURL(all []cloudrunv2.ServiceTrafficStatus) string {
	for _, s := range all {
		if s.Tag != nil && *s.Tag == candidateTag && s.Uri != nil {
			return *s.Uri
		}
	}
	return ""
}
