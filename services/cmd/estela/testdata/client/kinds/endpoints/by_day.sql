-- One of two that are nearly called the same.
SELECT 'by_day' AS name
