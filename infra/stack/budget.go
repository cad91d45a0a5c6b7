package stack

import (
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/billing"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// newBudget tells of costs before they are a surprise. It stops nothing.
func newBudget(ctx *pulumi.Context, cfg Config, ready pulumi.ResourceOption) error {
	if cfg.BillingAccount == "" {
		return nil
	}
	c, err := newComponent(ctx, cfg, "Budget", "budget", ready)
	if err != nil {
		return err
	}
	to, err := newChannels(ctx, cfg)
	if err != nil {
		return err
	}
	var rules billing.BudgetThresholdRuleArray
	for _, share := range []float64{0.5, 0.9, 1} {
		rules = append(rules, &billing.BudgetThresholdRuleArgs{ThresholdPercent: pulumi.Float64(share), SpendBasis: pulumi.String("CURRENT_SPEND")})
	}
	rules = append(rules, &billing.BudgetThresholdRuleArgs{ThresholdPercent: pulumi.Float64(1), SpendBasis: pulumi.String("FORECASTED_SPEND")})
	_, err = billing.NewBudget(ctx, "budget", &billing.BudgetArgs{
		BillingAccount: pulumi.String(cfg.BillingAccount), DisplayName: pulumi.String("Estela in " + cfg.Project),
		Amount:         &billing.BudgetAmountArgs{SpecifiedAmount: &billing.BudgetAmountSpecifiedAmountArgs{Units: pulumi.String(strconv.Itoa(cfg.Budget))}},
		BudgetFilter:   &billing.BudgetBudgetFilterArgs{Projects: pulumi.StringArray{pulumi.String("projects/" + cfg.Project)}, CalendarPeriod: pulumi.String("MONTH")},
		ThresholdRules: rules,
		AllUpdatesRule: &billing.BudgetAllUpdatesRuleArgs{MonitoringNotificationChannels: to.ids, DisableDefaultIamRecipients: pulumi.Bool(false)},
	}, c.child())
	if err != nil {
		return fmt.Errorf("register budget: %w", err)
	}
	return c.outputs(pulumi.Map{})
}
