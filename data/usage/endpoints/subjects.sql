-- Usage by subject, most requests first.
-- A subject is the name of an API key. (anonymous) is everyone without a valid
-- one; (other) are those above the number of subjects that a process counts in
-- a minute.
--
-- param: since date-time -- only minutes from then on
-- param: until date-time -- only minutes before it
-- param: endpoint string example=flights/delays -- only this endpoint, as DATASET/NAME
-- param: operation string enum=read,write -- only reads, or only events by POST
-- order: requests desc, subject
-- cache: 5s
-- chart: bar x=subject y=requests
SELECT
    subject,
    CAST(sum(requests) AS BIGINT) AS requests,
    CAST(sum(cached) AS BIGINT) AS cached,
    CAST(sum(client_errors) AS BIGINT) AS client_errors,
    CAST(sum(server_errors) AS BIGINT) AS server_errors,
    CAST(sum("rows") AS BIGINT) AS "rows",
    CAST(sum(bytes) AS BIGINT) AS bytes,
    round(sum(milliseconds), 3) AS milliseconds
FROM usage
WHERE ($since IS NULL OR minute >= $since)
  AND ($until IS NULL OR minute < $until)
  AND ($endpoint IS NULL OR endpoint = $endpoint)
  AND ($operation IS NULL OR operation = $operation)
GROUP BY subject
