package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/estela-dev/estela/ci/submission"
)

// Deliver the challenge: POST name, mail and repository, and show the answer.
//
// They go as exactly the JSON that it asks for. An invalid mail or URL is refused before anything is sent.
//
// +cache="never"
func (m *Estela) Submit(
	ctx context.Context,
	// Who delivers.
	name string,
	// A plain address.
	mail string,
	// The public repository: https://github.com/OWNER/NAME.
	githubURL string,
	// Where to.
	// +default="https://advana-challenge-check-api-cr-k4hdbggvoq-uc.a.run.app/devops"
	endpoint string,
) (string, error) {
	answer, err := submission.Send(ctx, http.Client{}, endpoint, submission.Submission{
		Name: name, Mail: mail, GitHubURL: githubURL,
	})
	if err != nil {
		return "", fmt.Errorf("submit: %w", err)
	}
	return answer, nil
}
