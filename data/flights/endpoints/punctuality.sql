-- Share of flights on time, by route, hour, day, origin or destination.
-- On time is the definition of the U.S. Bureau of Transportation Statistics: at
-- the gate less than 15 minutes after the scheduled arrival. Hour and day are
-- those of the departure, local at the origin. Hours and days come in their
-- order, the others with the most flights first.
--
-- param: by string default=route enum=route,hour,day,origin,destination -- what to group by
-- param: origin string pattern=^[A-Z]{3}$ -- only flights from this airport
-- param: destination string pattern=^[A-Z]{3}$ -- only flights to this airport
-- param: min_flights integer default=1 minimum=1 -- leave out groups with fewer flights
-- column: rank -- Place of the group in the order.
-- column: name example=ATL-LGA -- The route, hour, day or airport that the flights have in common.
-- column: flights unit=flights -- Flights of the group.
-- column: on_time unit=flights -- Those of them that were on time.
-- column: on_time_share example=0.7654 -- Part of the flights that was on time, from 0 to 1.
-- order: rank
-- cache: 5s
-- chart: bar x=name y=on_time_share
WITH grouped AS (
    SELECT
        CASE $by
            WHEN 'route' THEN route
            WHEN 'hour' THEN printf('%02d:00', local_hour)
            WHEN 'day' THEN CAST(local_date AS VARCHAR)
            WHEN 'origin' THEN origin
            ELSE destination
        END AS name,
        count(*) AS flights,
        count(*) FILTER (WHERE on_time) AS on_time
    FROM flights_on_time
    WHERE ($origin IS NULL OR origin = $origin)
      AND ($destination IS NULL OR destination = $destination)
    GROUP BY ALL
)

SELECT
    row_number() OVER (ORDER BY CASE WHEN $by NOT IN ('hour', 'day') THEN flights END DESC, name) AS rank,
    name,
    flights,
    on_time,
    round(on_time / flights, 4) AS on_time_share
FROM grouped
WHERE flights >= $min_flights
