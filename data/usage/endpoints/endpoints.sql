-- Usage by endpoint, most requests first.
-- Reads and writes of an endpoint are apart: GET and POST may have the same path.
--
-- param: since date-time -- only minutes from then on
-- param: until date-time -- only minutes before it
-- param: subject string -- only this subject
-- param: operation string enum=read,write -- only reads, or only events by POST
-- order: requests desc, endpoint, operation
-- cache: 5s
-- chart: bar x=endpoint y=requests
SELECT
    endpoint,
    operation,
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
  AND ($subject IS NULL OR subject = $subject)
  AND ($operation IS NULL OR operation = $operation)
GROUP BY ALL
