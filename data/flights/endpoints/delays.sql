-- Distribution of the arrival delays, in buckets of equal width.
-- Each bucket holds the flights with from_minutes <= delay < to_minutes; the
-- first and the last one, without a bound, take what lies beyond an hour early
-- and four hours late.
--
-- param: width integer default=15 enum=5,10,15,30,60 -- minutes a bucket
-- param: origin string pattern=^[A-Z]{3}$ -- only flights from this airport
-- param: destination string pattern=^[A-Z]{3}$ -- only flights to this airport
-- column: from_minutes unit=minutes -- The least delay in the bucket; null is without a bound.
-- column: to_minutes unit=minutes -- Delays in the bucket are below this; null is without a bound.
-- column: flights unit=flights -- Flights in the bucket.
-- column: share example=0.1234 -- Part of all flights that is in the bucket, from 0 to 1.
-- column: cumulative_share example=0.5678 -- Part that is in this bucket or in one before it, from 0 to 1.
-- cache: 5s
-- chart: bar x=from_minutes y=flights
WITH bucketed AS (
    SELECT
        CASE
            WHEN arrival_delay_minutes < -60 THEN NULL
            WHEN arrival_delay_minutes >= 240 THEN 240
            ELSE CAST(floor(arrival_delay_minutes / $width) * $width AS INTEGER)
        END AS from_minutes,
        count(*) AS flights
    FROM flights
    WHERE ($origin IS NULL OR origin = $origin)
      AND ($destination IS NULL OR destination = $destination)
    GROUP BY ALL
)

SELECT
    from_minutes,
    CASE WHEN from_minutes IS NULL THEN -60 WHEN from_minutes < 240 THEN from_minutes + $width END AS to_minutes,
    flights,
    round(flights / sum(flights) OVER (), 4) AS share,
    round(sum(flights) OVER (ORDER BY from_minutes NULLS FIRST) / sum(flights) OVER (), 4) AS cumulative_share
FROM bucketed
ORDER BY from_minutes NULLS FIRST
