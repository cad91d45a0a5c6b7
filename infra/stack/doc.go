// Package stack is what a Pulumi stack of Estela consists of. The config's kind
// chooses one of two:
//
//	foundation  once a project, by an operator: services, state, key, registry,
//	            federation with GitHub, deployer and previewer, budget
//	app         once a stage, by CI: network, and for each system (one, or those of
//	            fleet) Valkey, secrets, accounts, API, worker, ingest, canary, SLOs,
//	            alerts
//
// # A deployment
//
// Package rollout of ci drives an app by four config values and reads seven outputs
// (image, url, candidateUrl, previous, ingestImage, slos, resources). The API is one
// Cloud Run service of named revisions. A revision's name is a hash of all that its
// template says, so that the same config always names the same revision:
//
//	image A               template A, all traffic to A
//	image A, candidate B  template B, all traffic to A, none to B, which has an address
//	image B               template B, all traffic to B
//
// The worker always runs image. What takes events by POST runs ingestImage, or image
// without one: rollout leaves it the old one until the new worker has stored an event. It
// also depends on the worker, so that an up by hand keeps that order. Without an image
// there is the platform alone, so that an operator can put the values into the secrets
// before anything starts.
//
// # What is not here
//
// Package compute of pulumi-gcp is not imported: compiling it takes 161 s and 6.7 GB
// where the others together take 70 s and 1.1 GB. The network and its subnet are
// registered by their tokens, with the few properties that we use (network.go).
//
// No secret is: values go into Secret Manager by hand (see README.md), and a config
// value that looks like one is refused.
package stack
