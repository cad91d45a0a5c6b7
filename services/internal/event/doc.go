// Package event has the types that all packages share: stream entries and their IDs, violations of a
// contract, the position of a shard, and the identity of a warehouse. It imports none of them.
package event
