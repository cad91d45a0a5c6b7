-- A value of each type, then NULL of each.
-- column: id unit="*/ \ """" """ -- Ends a comment: */ """ and a backslash \.
-- order: row
SELECT 1 AS "row", '*/ """ \' AS id,
    true AS boolean, (-128)::TINYINT AS tinyint, 255::UTINYINT AS utinyint, (-32768)::SMALLINT AS smallint, 65535::USMALLINT AS usmallint,
    (-2147483648)::INTEGER AS "integer", 4294967295::UINTEGER AS uinteger, (-9007199254740993)::BIGINT AS bigint, 18446744073709551615::UBIGINT AS ubigint,
    '-170141183460469231731687303715884105727'::HUGEINT AS hugeint, '340282366920938463463374607431768211455'::UHUGEINT AS uhugeint,
    '123456789012345678901234567890123456789012345678901234567890'::BIGNUM AS bignum,
    0.1::FLOAT AS "float", 1e-7::DOUBLE AS small, 1e300::DOUBLE AS large, -0.0::DOUBLE AS zero, 'NaN'::DOUBLE AS nan,
    1234567890123456.10::DECIMAL(18, 2) AS "decimal", 0.000000001::DECIMAL(10, 9) AS tiny,
    chr(0) || '5 "é' || chr(128512) || chr(10) AS varchar, 'b'::ENUM('a', 'b') AS enum, '\x00\xFFa'::BLOB AS blob, ''::BLOB AS empty,
    '0123ABCD-0000-4000-8000-000000000000'::UUID AS uuid, DATE '2024-02-29' AS date, TIME '23:59:59.000001' AS time, '12:00:00+05:30'::TIMETZ AS timetz,
    TIMESTAMPTZ '9999-12-31 23:59:59.999999+00' AS timestamptz, TIMESTAMP '0001-01-01 00:00:00' AS timestamp,
    TIMESTAMP_S '2001-02-03 04:05:06' AS timestamp_s, TIMESTAMP_MS '2001-02-03 04:05:06.7' AS timestamp_ms, TIMESTAMP_NS '2001-02-03 04:05:06.123456789' AS timestamp_ns,
    INTERVAL 14 MONTH AS "interval", '101'::BIT AS bit,
    '{"n": 9007199254740993, "f": 0.12345678901234567890, "e": 1e-07, "one": 1.0, "t": "\u00005", "__proto__": [1, null, {}], "inf": 1e999}'::JSON AS json,
    'null'::JSON AS json_null, '9007199254740993'::JSON AS json_number,
    [9007199254740993, NULL]::BIGINT[] AS list, [[1.5], NULL, []]::DECIMAL(2, 1)[][] AS lists, ['\xFF'::BLOB, NULL]::BLOB[2] AS "array",
    {'big': 9007199254740993, 'a,b "c"': DATE '2024-02-29', 'inner': {'j': '{"x": 1.10}'::JSON}} AS odd, {'fooBar': 1, 'foo_bar': 2.50} AS struct,
    MAP {'__proto__': 9007199254740993, 'k': NULL} AS map, union_value(num := 9007199254740993) AS "union"
UNION ALL BY NAME SELECT 2 AS "row"
