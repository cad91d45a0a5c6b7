-- Makes flight events from rows of the source: the columns date, delay,
-- distance, origin and destination, as SOURCE.md explains them. One row in, one
-- event out, its columns named as the contract names its properties.
--
-- It reads two relations: `source`, the file that is published, with its row
-- number as `_row`; and `airports`, reference/airports.csv, whose column zone is
-- the IANA time zone at the airport.
--
-- A row that can't become an event still comes out, with NULL where the value
-- is missing or unreadable, so that it breaks the contract and is reported with
-- its row number. Nothing is dropped here: hence LEFT JOIN and TRY_CAST.
WITH
-- The source in the types it should have. A number with a fraction is none of
-- ours: it becomes NULL and is reported, not rounded.
flown AS MATERIALIZED (
    SELECT
        _row,
        TRY_CAST(date AS TIMESTAMP) AS local_time,
        CASE WHEN TRY_CAST(delay AS DOUBLE) = TRY_CAST(delay AS INTEGER) THEN TRY_CAST(delay AS INTEGER) END AS delay,
        CASE WHEN TRY_CAST(distance AS DOUBLE) = TRY_CAST(distance AS INTEGER) THEN TRY_CAST(distance AS INTEGER) END AS distance,
        origin,
        destination,
        zone AS origin_zone
    FROM source
    LEFT JOIN airports ON iata = origin
),

-- Local time as UTC, once for each minute and zone: a third of the work.
-- A time that the clock skipped (spring) is read with the offset from before
-- the change; of a time that it showed twice (autumn), the second is meant.
clock AS MATERIALIZED (
    SELECT
        local_time,
        origin_zone,
        strftime(timezone('UTC', timezone(origin_zone, local_time)), '%Y-%m-%dT%H:%M:%SZ') AS utc
    FROM (SELECT DISTINCT local_time, origin_zone FROM flown WHERE local_time IS NOT NULL AND origin_zone IS NOT NULL)
),

-- Minute, origin and destination do not name a flight: two may leave together.
-- An ordinal by delay and distance tells them apart. It depends on nothing
-- outside that minute, so a file cut between days gives the same ids as the
-- whole file. Rows that are equal in everything are interchangeable: the row
-- number only makes the choice the same each time.
numbered AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY local_time, origin, destination ORDER BY delay, distance, _row) AS ordinal
    FROM flown
),

named AS (
    SELECT
        *,
        strftime(local_time, '%Y%m%dT%H%M') || '-' || origin || '-' || destination || '-' || ordinal AS flight_id
    FROM numbered
)

SELECT
    _row,
    flight_id || ':completed' AS event_id,
    'flight.completed' AS event_type,
    clock.utc AS occurred_at,
    flight_id,
    strftime(named.local_time, '%Y-%m-%dT%H:%M:%S') AS departed_local,
    origin,
    named.origin_zone,
    destination,
    delay AS arrival_delay_minutes,
    distance AS distance_miles,
    'bts' AS source
FROM named
LEFT JOIN clock ON clock.local_time = named.local_time AND clock.origin_zone = named.origin_zone
ORDER BY _row
