package rollout

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"time"
)

const (
	// fresh is how old the newest point may be: such series are minutes behind.
	fresh = 10 * time.Minute
	// past is the longest rolling period of an SLO.
	past = 30 * 24 * time.Hour
)

// ErrNoData is that an SLO has no point in the last ten minutes.
var ErrNoData = errors.New("no data in the last 10 minutes")

// The shape is checked because it becomes part of a path and of a filter.
var sloName = regexp.MustCompile(`^(projects/[A-Za-z0-9:.-]+)/services/[A-Za-z0-9_:.~-]+/serviceLevelObjectives/[A-Za-z0-9_:.-]+$`)

// Monitoring asks Google Cloud Monitoring, API v3, what is left of error budgets.
// https://cloud.google.com/stackdriver/docs/solutions/slo-monitoring/api/timeseries-selectors
type Monitoring struct {
	// Client sends the requests.
	//
	// nil: the default one.
	Client *http.Client
	// BaseURL is https, or http on loopback, where no one reads the token on its way.
	//
	// Empty: https://monitoring.googleapis.com.
	BaseURL string
	// Token gives an access token that may read monitoring data. It is in no error.
	Token func(ctx context.Context) (string, error)
}

// Remaining is the fraction of an SLO's error budget that is left: 1 untouched, 0 used up, below 0
// overspent without bound. slo is projects/P/services/S/serviceLevelObjectives/O. The newest point
// of the last ten minutes counts; with none the error is ErrNoData.
func (m Monitoring) Remaining(ctx context.Context, slo string) (float64, error) {
	newest, err := m.newest(ctx, slo, fresh)
	if err != nil {
		return 0, fmt.Errorf("ask the error budget of %s: %w", slo, err)
	}
	if newest == nil {
		return 0, fmt.Errorf("ask the error budget of %s: %w; see in Cloud Monitoring whether its metric still arrives", slo, ErrNoData)
	}
	return newest.fraction(), nil
}

// Burnt is an error that lists every SLO with less than floor of its budget left, and every one that
// could not be asked. One without data in the last ten minutes is an error as well if it had some in
// the last 30 days, the longest period of an SLO: then the measuring broke, and a deployment must not
// pass because nobody looks. One that never had any is new, and new ones have burnt nothing; an SLO that
// does not exist is not taken for that, because the API refuses its name.
func (m Monitoring) Burnt(ctx context.Context, slos []string, floor float64) error {
	if math.IsNaN(floor) || floor > 1 {
		return fmt.Errorf("compare error budgets with floor %v: no budget can be above 1; give a fraction such as 0.1", floor)
	}
	var faults []error
	for _, slo := range slos {
		left, err := m.Remaining(ctx, slo)
		if errors.Is(err, ErrNoData) {
			left, err = m.unknown(ctx, slo, err)
		}
		switch {
		case err != nil:
			faults = append(faults, err)
		case left < floor:
			faults = append(faults, fmt.Errorf("the error budget of %s is burnt: %.1f %% is left, below the floor of %.1f %%", slo, 100*left, 100*floor))
		}
	}
	return errors.Join(faults...)
}

// unknown is the whole budget for an SLO that never had a point, noData for one that had.
func (m Monitoring) unknown(ctx context.Context, slo string, noData error) (float64, error) {
	switch newest, err := m.newest(ctx, slo, past); {
	case err != nil:
		return 0, fmt.Errorf("ask whether %s is new: %w", slo, err)
	case newest != nil:
		return 0, noData
	}
	return 1, nil
}

// newest is the newest point of an SLO's budget within the time, nil if there is none.
func (m Monitoring) newest(ctx context.Context, slo string, within time.Duration) (*point, error) {
	project := sloName.FindStringSubmatch(slo)
	if project == nil {
		return nil, errors.New("it is no full name; give projects/P/services/S/serviceLevelObjectives/O")
	}
	token, err := access(ctx, m.Token)
	if err != nil {
		return nil, err
	}
	q := query{monitoring: m, token: token, project: project[1], slo: slo, end: time.Now().UTC(), within: within}
	p, err := q.newest(ctx)
	return p, hide(err, token)
}
