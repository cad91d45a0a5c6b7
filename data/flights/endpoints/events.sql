-- Every event, newest first.
-- The events as they were stored, property by property, in the order in which
-- they happened and not in that of their arrival.
--
-- param: since date-time -- only events at or after this instant
-- param: until date-time -- only events before this instant
-- param: event_id string pattern=^[A-Za-z0-9:-]{1,64}$ -- only this event
-- order: occurred_at desc, event_id desc
-- cache: 2s
SELECT
    event_id,
    event_type,
    occurred_at,
    flight_id,
    departed_local,
    origin,
    origin_zone,
    destination,
    arrival_delay_minutes,
    distance_miles,
    source
FROM flights
WHERE ($since IS NULL OR occurred_at >= $since)
  AND ($until IS NULL OR occurred_at < $until)
  AND ($event_id IS NULL OR event_id = $event_id)
