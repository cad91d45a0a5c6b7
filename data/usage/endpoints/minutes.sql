-- Usage of a subject by minute, newest first.
-- Of all its endpoints together, or of one. A minute is there half a second to a few
-- seconds after its end, and if a process that counts can't publish, later.
--
-- param: subject string required example=(anonymous) -- the subject
-- param: since date-time -- only minutes from then on
-- param: until date-time -- only minutes before it
-- param: endpoint string example=flights/delays -- only this endpoint, as DATASET/NAME
-- param: operation string enum=read,write -- only reads, or only events by POST
-- order: minute desc
-- cache: 5s
-- chart: line x=minute y=requests
SELECT
    minute,
    CAST(sum(requests) AS BIGINT) AS requests,
    CAST(sum(cached) AS BIGINT) AS cached,
    CAST(sum(client_errors) AS BIGINT) AS client_errors,
    CAST(sum(server_errors) AS BIGINT) AS server_errors,
    CAST(sum("rows") AS BIGINT) AS "rows",
    CAST(sum(bytes) AS BIGINT) AS bytes,
    round(sum(milliseconds), 3) AS milliseconds
FROM usage
WHERE subject = $subject
  AND ($since IS NULL OR minute >= $since)
  AND ($until IS NULL OR minute < $until)
  AND ($endpoint IS NULL OR endpoint = $endpoint)
  AND ($operation IS NULL OR operation = $operation)
GROUP BY minute
