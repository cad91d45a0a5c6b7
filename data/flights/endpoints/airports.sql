-- Airports that flights leave from or arrive at, busiest first.
-- Name and place are from the reference table of airports, the zone is the one
-- that the flights carry (unknown where none left from).
--
-- param: state string pattern=^[A-Z]{2}$ -- only airports of this state or territory, such as TX
-- column: airport example=ATL -- IATA code of the airport.
-- column: name -- The airport's name.
-- column: city -- The city that it serves.
-- column: state -- Postal code of the state or territory.
-- column: latitude unit=degrees -- Latitude, north is positive.
-- column: longitude unit=degrees -- Longitude, east is positive.
-- column: zone example=America/New_York -- IANA time zone, as the flights that leave carry it.
-- column: movements unit=flights -- Departures and arrivals together.
-- column: departures unit=flights -- Flights that left from here.
-- column: arrivals unit=flights -- Flights that arrived here.
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
