-- Routes with their airports, distance and delays, busiest first.
--
-- param: airport string pattern=^[A-Z]{3}$ -- only routes from or to this airport
-- param: min_flights integer default=1 minimum=1 -- leave out routes with fewer flights
-- column: route example=ATL-LGA -- Origin and destination.
-- column: flights unit=flights -- Flights of the route.
-- column: mean_delay_minutes unit=minutes -- Mean delay at arrival; negative is early.
-- column: median_delay_minutes unit=minutes -- Median delay at arrival; negative is early.
-- column: on_time_share example=0.7654 -- Part of the flights that was on time, from 0 to 1.
-- column: origin_name -- Name of the airport of departure.
-- column: origin_city -- City of the airport of departure.
-- column: destination_name -- Name of the airport of arrival.
-- column: destination_city -- City of the airport of arrival.
-- order: flights desc, route asc
-- cache: 5s
-- chart: bar x=route y=flights
SELECT
    flown.*,
    departure.name AS origin_name,
    departure.city AS origin_city,
    arrival.name AS destination_name,
    arrival.city AS destination_city
FROM (
    SELECT
        route,
        origin,
        destination,
        count(*) AS flights,
        max(distance_miles) AS distance_miles,
        round(avg(arrival_delay_minutes), 1) AS mean_delay_minutes,
        median(arrival_delay_minutes) AS median_delay_minutes,
        round(count(*) FILTER (WHERE on_time) / count(*), 4) AS on_time_share
    FROM flights_on_time
    WHERE $airport IS NULL OR origin = $airport OR destination = $airport
    GROUP BY route, origin, destination
    HAVING count(*) >= $min_flights
) AS flown
LEFT JOIN airports AS departure ON departure.iata = flown.origin
LEFT JOIN airports AS arrival ON arrival.iata = flown.destination
