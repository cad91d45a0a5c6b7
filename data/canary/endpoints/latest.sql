-- The newest canaries, newest first.
-- seconds is how long each took from its sender to the commit, by both clocks.
--
-- param: id string pattern=^[A-Za-z0-9]{1,64}$ -- only this canary
-- column: stored_at -- When it was committed to the warehouse.
-- column: seconds unit=seconds -- How long it took from its sender to the commit.
-- order: sent_at desc, id
SELECT id, sent_at, source, _ingested_at AS stored_at, epoch(_ingested_at) - epoch(sent_at) AS seconds
FROM canary
WHERE $id IS NULL OR id = $id
