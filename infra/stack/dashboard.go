package stack

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/monitoring"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/estela-dev/estela/infra/observability"
)

// newFleetDashboard draws every system of the app: one row of tiles a system, an
// objective a tile, so that the page reads like a table.
func newFleetDashboard(ctx *pulumi.Context, cfg Config, all []*system) error {
	c, err := newComponent(ctx, cfg, "Fleet", "fleet")
	if err != nil {
		return err
	}
	file, err := objectives(cfg)
	if err != nil {
		return err
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.name
	}
	text, err := json.Marshal(fleetDashboard(ctx.Stack(), cfg.Project, names, file))
	if err != nil {
		return fmt.Errorf("write fleet dashboard: %w", err)
	}
	_, err = monitoring.NewDashboard(ctx, "fleet", &monitoring.DashboardArgs{
		Project: pulumi.String(cfg.Project), DashboardJson: pulumi.String(string(text)),
	}, c.child())
	if err != nil {
		return fmt.Errorf("register fleet dashboard: %w", err)
	}
	return c.outputs(pulumi.Map{})
}

type object = map[string]any

// The mosaic's grid: 48 columns.
const (
	gridColumns = 48
	tileHeight  = 8
)

// fleetDashboard is the JSON of a dashboard of Cloud Monitoring: what is left of each
// error budget, as a line with the floor below which no deployment goes out.
func fleetDashboard(stack, project string, systems []string, file observability.File) object {
	tiles := []object{}
	objectives := file.Steady() // the others are none of Cloud Monitoring's
	width := gridColumns / len(objectives)
	for row, system := range systems {
		for column, o := range objectives {
			slo := fmt.Sprintf("projects/%s/services/%s/serviceLevelObjectives/%s", project, system, o.Name)
			tiles = append(tiles, object{
				"xPos": column * width, "yPos": row * tileHeight, "width": width, "height": tileHeight,
				"widget": object{
					"title": system + ": " + o.Title,
					"xyChart": object{
						"dataSets": []object{{
							"plotType": "LINE", "targetAxis": "Y1",
							"timeSeriesQuery": object{"timeSeriesFilter": object{
								"filter":      fmt.Sprintf("select_slo_budget_fraction(%q)", slo),
								"aggregation": object{"perSeriesAligner": "ALIGN_NEXT_OLDER"},
							}},
						}},
						"thresholds": []object{{"value": 0, "label": "burnt"}},
						"yAxis":      object{"scale": "LINEAR", "label": "budget left"},
					},
				},
			})
		}
	}
	return object{"displayName": "Estela " + stack, "mosaicLayout": object{"columns": gridColumns, "tiles": tiles}, "labels": object{"estela": ""}}
}

// hostOf is the host of a URL.
func hostOf(url string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "https://"), "/")
	return host
}
