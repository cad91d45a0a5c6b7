package rollout

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Stack is a running system as code: what a config makes of it, and what it says of itself.
type Stack interface {
	// Outputs reads what the last update left; none for a stack that was never updated. It changes nothing.
	Outputs(ctx context.Context) (Outputs, error)
	// Up makes the stack what the config says, from wherever it is, and returns its outputs. After an
	// error the stack may be old, new or in between.
	Up(ctx context.Context, c Config) (Outputs, error)
}

// Config is all that a rollout decides about a stack.
type Config struct {
	// Image serves all traffic and is what the worker runs, pinned by its digest.
	Image string
	// Candidate is the image of one more API revision, which gets no traffic; empty for none.
	Candidate string
	// Previous is to come back as the output of that name: the image to return to. A stack can't tell
	// it by itself: after a failed promotion it would name the image that failed.
	Previous string
	// Ingest is the image that takes events by POST, where the stack has that service; empty for Image. It is
	// the old one until the worker runs Image: events of a new contract may be taken once they are stored.
	Ingest string
}

// Values are the config's keys and values, every key always there, so that an empty one clears the last.
func (c Config) Values() map[string]string {
	return map[string]string{"image": c.Image, "candidate": c.Candidate, "previous": c.Previous, "ingestImage": c.Ingest}
}

// check is whether an update did what it was asked to. A stack that serves something else, or a
// candidate's address that leads to what serves already, would make a smoke test of the wrong image.
func (c Config) check(o Outputs) error {
	switch {
	case o.Image != c.Image:
		return fmt.Errorf("the stack was updated to %s, and its output image says %q; let it export what serves", c.Image, o.Image)
	case o.Ingest != "" && o.Ingest != cmp.Or(c.Ingest, c.Image):
		return fmt.Errorf("the stack was updated to take events by %s, and its output ingestImage says %q; let it export what takes them", cmp.Or(c.Ingest, c.Image), o.Ingest)
	case c.Candidate == "":
		return nil
	case o.CandidateURL == "":
		return errors.New("the stack has a candidate, and its output candidateUrl is missing; let it export the address of the revision without traffic")
	case o.CandidateURL == o.URL:
		return fmt.Errorf("the stack's outputs candidateUrl and url are both %s; the candidate needs an address of its own", o.URL)
	}
	return nil
}

// Outputs is what a stack says of itself.
type Outputs struct {
	// Image serves; empty before the first deployment.
	Image string
	// URL is where it serves.
	URL string
	// CandidateURL leads to the candidate, while there is one.
	CandidateURL string
	// Previous is the image before the last promotion. After a rollback it is the image that serves.
	Previous string
	// Ingest is the image that takes events by POST; empty for a stack without that service.
	Ingest string
	// SLOs are full names: projects/P/services/S/serviceLevelObjectives/O.
	SLOs []string
	// Resources are the OTEL_RESOURCE_ATTRIBUTES of each system: whose metrics are whose.
	Resources []string
}

// Preview is the config to preview a stack with: no image is in the stack's file, and a preview without one
// would show the end of all that runs. It is the given image, or else the one that serves, or else a placeholder.
func (o Outputs) Preview(image string) (Config, error) {
	c := Config{Image: cmp.Or(image, o.Image, placeholder), Previous: o.Previous}
	return c, checkImage(c.Image)
}

// ParseOutputs reads a JSON object, as `pulumi stack output --json` prints one. A new stack lacks
// keys; other keys are other people's.
func ParseOutputs(text []byte) (Outputs, error) {
	// A map, because encoding/json would take "URL" or "Image" for our keys as well.
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return Outputs{}, fmt.Errorf("read stack outputs: %w; a JSON object is expected, as pulumi stack output --json prints it", err)
	}
	if values == nil {
		return Outputs{}, fmt.Errorf("read stack outputs: %s is no JSON object; print it by pulumi stack output --json", bytes.TrimSpace(text))
	}
	var o Outputs
	for key, field := range map[string]any{
		"image": &o.Image, "url": &o.URL, "candidateUrl": &o.CandidateURL, "previous": &o.Previous, "ingestImage": &o.Ingest,
		"slos": &o.SLOs, "resources": &o.Resources,
	} {
		value, ok := values[key]
		if !ok {
			continue
		}
		if err := json.Unmarshal(value, field); err != nil {
			return Outputs{}, fmt.Errorf("read stack output %q: %w; export a string, or for slos and resources a list of them", key, err)
		}
	}
	return o, nil
}
