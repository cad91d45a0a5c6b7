-- Each flight with what most questions about it need: its route, the local hour
-- in which it left, and whether it was on time. On time is the definition of the
-- U.S. Bureau of Transportation Statistics: at the gate less than 15 minutes
-- after the scheduled arrival; 15 minutes is late.
CREATE OR REPLACE VIEW flights_on_time AS
SELECT
    *,
    origin || '-' || destination AS route,
    TRY_CAST(substr(departed_local, 1, 10) AS DATE) AS local_date,
    TRY_CAST(substr(departed_local, 12, 2) AS TINYINT) AS local_hour,
    arrival_delay_minutes < 15 AS on_time
FROM flights;
