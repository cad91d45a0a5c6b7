-- What it is asked */ """ \ and by which names.
-- param: class string -- a keyword
-- param: from string required pattern=^[a-z"\\]*$ -- ends a comment */ """ \
-- param: self integer minimum=-9007199254740993 -- more digits than a double has
-- param: number number
-- param: truth boolean default=true
-- param: day date
-- param: at date-time default=2024-02-29T12:00:00Z
-- param: id uuid
-- param: level integer enum=1,9007199254740993
-- param: color string enum=red,"dark red",xray,2
-- param: row string enum=a
SELECT $class AS class, $from AS "from", $self AS self, $number AS "int", $truth AS "fooBar", $day AS foo_bar, $at AS "2x", $id AS "größe",
    $level AS "a,b", $color AS "quo""te`\", $row AS "__proto__", 'x' AS constructor, 'y' AS "-", 'z' AS "中", 'n' AS "
"
