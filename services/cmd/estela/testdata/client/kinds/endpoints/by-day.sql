-- One of two that are nearly called the same.
SELECT 'by-day' AS name
