package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// describe is the warehouse as others are told of it: no token that its location may hold.
func describe(ctx context.Context, w *warehouse.Warehouse) (event.Warehouse, error) {
	identity, err := w.Identity(ctx)
	if err != nil {
		return event.Warehouse{}, err
	}
	host, err := os.Hostname()
	if err != nil {
		return event.Warehouse{}, fmt.Errorf("find this machine's name: %w", err)
	}
	location := w.Location()
	if w.Remote() {
		location, _, _ = strings.Cut(location, "?")
	}
	return event.Warehouse{Identity: identity, Location: location, Host: host}, nil
}

// bind makes sure that the datasets' streams are this warehouse's and notes by which
// contracts it stores them. What nobody carries is told of, not refused.
func (n *node) bind(ctx context.Context) (err error) {
	if n.house, err = describe(ctx, n.store); err != nil {
		return err
	}
	if err := n.redis.ClaimShards(ctx, contractsOf(n.datasets), n.house); err != nil {
		return err
	}
	if n.stored, err = takeInventory(ctx, n.store); err != nil {
		return err
	}
	if err := n.noteContracts(ctx, true); err != nil {
		return err
	}
	left, err := leftovers(ctx, n.datasets, n.stored, n.redis)
	for _, l := range left {
		n.log.Warn("nobody carries this", slog.String("dataset", l.dataset), slog.String("found", l.found), slog.String("hint", l.fix))
	}
	return err
}

// noteContracts notes for producers by what the datasets are stored.
func (n *node) noteContracts(ctx context.Context, replace bool) error {
	for _, d := range n.datasets {
		if err := n.redis.RegisterContract(ctx, d.Contract, n.stored.versions(d.Name), replace); err != nil {
			return err
		}
	}
	return nil
}

// group names those who share this worker's shards.
func (n *node) group() string {
	all := names(n.datasets)
	slices.Sort(all)
	return n.house.Identity + ":" + strings.Join(all, ",")
}

// live counts this worker among those who share its shards. A FLUSHALL takes the contracts
// along with the list: they are noted again.
func (n *node) live(ctx context.Context) (int, error) {
	if err := n.noteContracts(ctx, false); err != nil {
		return 0, err
	}
	return n.redis.Heartbeat(ctx, n.group(), n.owner, leaseTTL)
}
