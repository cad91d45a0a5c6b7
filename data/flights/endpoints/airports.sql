-- Airports that flights leave from or arrive at, busiest first.
-- Name and place are from the reference table of airports, the zone is the one
-- that the flights carry (unknown where none left from).
--
-- param: state string pattern=^[A-Z]{2}$ -- only airports of this state or territory, such as TX
-- order: movements desc, airport asc
-- cache: 5s
WITH moves AS (
    SELECT origin AS airport, any_value(origin_zone) AS zone, count(*) AS departures, 0 AS arrivals
    FROM flights
    GROUP BY origin
    UNION ALL
    SELECT destination, NULL, 0, count(*)
    FROM flights
    GROUP BY destination
)

SELECT
    moves.airport,
    airports.name,
    airports.city,
    airports.state,
    airports.latitude,
    airports.longitude,
    any_value(moves.zone) AS zone,
    CAST(sum(moves.departures + moves.arrivals) AS BIGINT) AS movements,
    CAST(sum(moves.departures) AS BIGINT) AS departures,
    CAST(sum(moves.arrivals) AS BIGINT) AS arrivals
FROM moves
LEFT JOIN airports ON airports.iata = moves.airport
WHERE $state IS NULL OR airports.state = $state
GROUP BY ALL
