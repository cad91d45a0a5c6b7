// Package rollout moves a stack from one image to the next, and back when a check fails. It knows no
// tool and no cloud: a stack is driven by its config and read by its outputs, both plain strings.
//
//	           ┌─ no image yet ──> Up{image: new} ──> smoke
//	read ──────┼─ new serves ────> Up{image: new} ──> smoke ──> budget ──> Up{ingest: new}
//	outputs    └─ old serves ────> Up{image: old, candidate: new} ──> smoke the candidate
//	                                 │ ──> Up{image: new, previous: old, ingest: old} ──> smoke ──> budget
//	                                 │ ──> Up{image: new, previous: old, ingest: new}
//	                                 └─ any failure ──> Up{image: old, ingest: old}
//
// The last update is for stacks that take events by POST, and left out where nothing is left to do.
//
// What holds:
//
//   - The old image serves all traffic until the candidate, an API revision without traffic, has passed
//     its smoke test in this very run.
//   - What takes events by POST gets the new image last, when a smoke test's event went through the worker
//     that has it: no event of a new contract is taken before it is stored. The first deployment and a
//     rollback move both at once; then the stack's own order holds, the worker first.
//   - A failure from the candidate on leads back, with a context of its own: the deadline or the Ctrl-C
//     of the caller may be what failed.
//   - A run that was killed at any step is mended by running the same again: every step is an update to
//     a stated end, and the first one reads where things stand.
//   - A failed first read, or a refused image, changes nothing.
//   - Every deployment that got further and wasn't killed is recorded once, as gone through or not.
//
// What does not: with the new image serving already there is no way back, because nothing tells a
// deployment that was killed after its promotion from a change of the config alone. A failed check
// then names the image to roll back to.
package rollout
