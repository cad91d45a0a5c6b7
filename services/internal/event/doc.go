// Package event has the nouns that the others share: an entry of a stream and its ID, what
// breaks a contract, how far a shard is stored, and which warehouse it is stored in. It
// knows none of the packages that use it.
package event
