// Package chaos breaks the pipeline and counts what is in the table afterwards:
// workers and servers are killed, paused and cut off, disks fill up, streams come
// back shorter, all on a real redis-server and real DuckDB files.
//
// Every test ends with the same comparison ([Model]): the rows are exactly the
// events published, each once, the first of each key; the rejects are the events
// that broke the contract, byte for byte.
//
// Which test holds which promise of the delivery:
//
//	position beside the rows, fencing     TestKilledWorker, TestPausedWorker, TestUnknownCommitOutcome
//	a group is a cursor of one owner      TestConnectionsCutMidReply, TestPausedWorker
//	exactly once in the table             TestRedisKilled, TestShorterStream, TestStepBackIsReadToTheEnd, TestReplay…
//	duplicates                            TestDedupe…, TestOneCommitQueue…
//	nothing Redis kept is lost            TestPoison…, TestDiskFull
//	trim                                  TestTrim…, TestLoss…
//	backpressure                          TestBackpressure
//	shares, stopping                      TestTwoWorkersShareShards
package chaos
