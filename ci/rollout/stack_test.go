package rollout_test

import (
	"maps"
	"reflect"
	"testing"

	"github.com/estela-dev/estela/ci/rollout"
)

func TestParseOutputs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]rollout.Outputs{
		"{}": {},
		`{"image":"i","url":"u","candidateUrl":"c","previous":"p","ingestImage":"j","slos":["s","t"],"resources":["r"],"other":{"x":[1]}}`: {
			Image: "i", URL: "u", CandidateURL: "c", Previous: "p", Ingest: "j", SLOs: []string{"s", "t"}, Resources: []string{"r"},
		},
		"{\n  \"url\": \"u\", \"candidateUrl\": null, \"slos\": null\n}\n":                    {URL: "u"},
		`{"Image":"other","URL":"other","candidateURL":"other","Slos":["other"],"image":"i"}`: {Image: "i"},
	} {
		if got, err := rollout.ParseOutputs([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                       "read stack outputs",
		"null":                   "null is no JSON object",
		"[]":                     "a JSON object is expected",
		`{"image":"i"} {}`:       "a JSON object is expected",
		"error: no stack":        "pulumi stack output --json",
		`{"image":1}`:            `read stack output "image"`,
		`{"slos":"s"}`:           `read stack output "slos"`,
		`{"slos":[1]}`:           `read stack output "slos"`,
		`{"resources":"r"}`:      `read stack output "resources"`,
		`{"candidateUrl":["c"]}`: `read stack output "candidateUrl"`,
	} {
		got, err := rollout.ParseOutputs([]byte(text))
		wantError(t, err, want)
		if !reflect.DeepEqual(got, rollout.Outputs{}) {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}

func TestConfigValuesHaveEveryKey(t *testing.T) {
	t.Parallel()
	got := rollout.Config{Image: "i"}.Values()
	if want := map[string]string{"image": "i", "candidate": "", "previous": "", "ingestImage": ""}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestProtected(t *testing.T) {
	t.Parallel()
	for stack, want := range map[string]bool{
		"prod": true, "production": true, "prd": true, "PROD": true, "Production": true,
		"estela-prod": true, "prod-eu": true, "acme/estela/prod": true, "estela.production.eu": true,
		"prod_1": true, "prod2": true, "eu prd": true, "pre-prod": true, "non-production": true, " prod ": true,
		"": false, "staging": false, "dev": false, "product": false, "reproduction": false, "preprod": false,
		"products-dev": false, "prodigy": false, "estela-pr-12": false, "2": false,
	} {
		if got := rollout.Protected(stack); got != want {
			t.Errorf("%q: %t", stack, got)
		}
		if err := rollout.CheckDestroy(stack); want {
			wantError(t, err, "by its name it is production", "by hand")
		} else if (err == nil) != (stack != "") {
			t.Errorf("%q: %v", stack, err)
		}
	}
	wantError(t, rollout.CheckDestroy(" "), "name one by --stack")
}

func TestPreviewShowsAnImage(t *testing.T) {
	t.Parallel()
	serving := rollout.Outputs{Image: imageB, Previous: imageA}
	for _, c := range []struct {
		outputs rollout.Outputs
		image   string
		want    rollout.Config
	}{
		{serving, "", rollout.Config{Image: imageB, Previous: imageA}},
		{serving, imageC, rollout.Config{Image: imageC, Previous: imageA}},
		{rollout.Outputs{}, imageC, rollout.Config{Image: imageC}},
	} {
		if got, err := c.outputs.Preview(c.image); err != nil || got != c.want {
			t.Errorf("%+v with %q: %+v, %v", c.outputs, c.image, got, err)
		}
	}
	if got, err := (rollout.Outputs{}).Preview(""); err != nil || got.Image == "" {
		t.Errorf("a stack that serves nothing is previewed with %+v, %v; want some image", got, err)
	}
	if _, err := serving.Preview("registry.example/estela:latest"); err == nil {
		t.Error("a tag is previewed")
	}
}
