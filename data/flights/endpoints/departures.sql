-- Departures of an airport, newest first.
-- The times are actual departures, not scheduled ones. departed_local is the
-- clock at the airport, occurred_at the same moment in UTC.
--
-- param: airport string required pattern=^[A-Z]{3}$ example=ATL -- IATA code of the origin
-- param: destination string pattern=^[A-Z]{3}$ -- IATA code of the destination
-- param: since date-time -- only departures at or after this instant
-- param: until date-time -- only departures before this instant
-- param: late boolean -- only flights that were late (true) or on time (false) at their destination
-- column: on_time -- Whether the flight was at its gate less than 15 minutes after the scheduled arrival.
-- order: occurred_at desc, flight_id desc
-- cache: 2s
SELECT
    flight_id,
    occurred_at,
    departed_local,
    origin,
    destination,
    arrival_delay_minutes,
    on_time,
    distance_miles
FROM flights_on_time
WHERE origin = $airport
  AND ($destination IS NULL OR destination = $destination)
  AND ($since IS NULL OR occurred_at >= $since)
  AND ($until IS NULL OR occurred_at < $until)
  AND ($late IS NULL OR on_time <> $late)
