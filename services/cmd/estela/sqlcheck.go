package main

import (
	"context"
	"errors"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// checkSQL looks at the views and endpoints of the datasets before any warehouse sees
// them: planning alone can take all memory.
func checkSQL(ctx context.Context, all []*dataset) (err error) {
	parse, end, err := warehouse.Parser(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	return api.CheckSQL(ctx, parse, apiDatasets(all))
}
