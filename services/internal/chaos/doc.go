// Package chaos breaks the pipeline and counts what is in the table afterwards:
// workers and servers are killed, paused and cut off, disks fill up, streams come
// back shorter, all on a real redis-server and real DuckDB files.
//
// Every test ends with the same comparison ([Model]): the rows are exactly the
// events published, each once, the first of each key; the rejects are the events
// that broke the contract, byte for byte.
//
// Which test verifies which guarantee of the delivery (all names begin with TestChaos):
//
//	the position is with the rows, fencing    KilledWorker, PausedWorker, UnknownCommitOutcome
//	a group is a cursor of one owner          ConnectionsCutMidReply, CutReaderLosesNothing, PausedWorker
//	exactly once in the table                 RedisKilled, FlushedStream…, ShorterStream,
//	                                          StepBackIsReadToTheEnd, ReplayLeavesTheTableTheSame
//	a stream of somebody else                 Foreign…
//	changes to a stream by others             ReplacedStream, EntriesOfTheSameMillisecond, MovedCursor,
//	                                          RestoredBeneath, GapIsRead, DeletedUnread
//	IDs of the future, and of all 64 bits     EntryOfTheFuture, HighestIDs
//	an entry is never split                   KilledWorker
//	duplicates                                Dedupe…
//	one commit queue                          OneCommitQueue, StoreAfterAnotherProcess, RejectsReplayed
//	no entry in Redis is lost                 PoisonByteForByte, DiskFull
//	trim, loss                                Trim…, Loss…
//	one warehouse                             OtherWarehouse, Identity
//	backpressure                              Backpressure
//	a POST that is acknowledged               Post…
//	rebalance and stopping                    TwoWorkersShareShards, StopCommitsWhatWasRead, DrainedIsNotEarly
//
// TestChaosReport measures what each fault costs in terms of the objectives ([Report]): it
// injects faults into the shipped program under a steady load and observes it from outside.
// The last result that was kept is shown in infra/observability/README.md.
package chaos
