// Package contract turns the JSON Schema of a dataset into a table, and its
// events into rows of that table. It is what the other packages share.
//
// # Contracts
//
// DIR/contract.json is JSON Schema 2020-12, of which these keywords are
// supported: type, properties, required, additionalProperties (true or false),
// items, enum, const, pattern (RE2), format, minLength, maxLength, minimum,
// maximum, exclusiveMinimum, exclusiveMaximum, multipleOf; and, saying nothing
// about validity, $schema, $id, $comment, title, description, default and
// examples. Load refuses everything else, and lists all that is wrong at once.
//
//   - A type is one name, or one and "null". A property that may be null may
//     still be required: then it must be sent, if only as null.
//   - A default is documentation, as JSON Schema has it: it is not filled in. An
//     absent property is NULL.
//   - additionalProperties is true if it isn't given, as JSON Schema has it:
//     extra properties are checked to be JSON and then left out of the row. The
//     event that carried them stays in the stream until it is trimmed.
//   - A keyword that says nothing about its type (minLength of an integer) is
//     refused, and so are bounds that no value is within.
//   - Each property becomes a column, in the order of the file: string VARCHAR,
//     date-time TIMESTAMPTZ, date DATE, uuid UUID, boolean BOOLEAN, number DOUBLE,
//     object and array JSON; integer TINYINT, SMALLINT, INTEGER or BIGINT, the
//     narrowest that holds everything its bounds admit.
//   - The annotation x-estela names what there is of: the key, one property or an
//     array of them (without one an event's place in the stream is its key, and
//     nothing is a duplicate); the time, a date-time or a date (without one the
//     stream's counts); the partition (default: a key of one property); and shards (1 to
//     1024, default 1), dedupe (default "24h", "0" is off) and retention (default:
//     forever). Durations are Go's, with days in front: "7d", "1d12h".
//   - The annotation x-estela of a property lists aliases: other names under which
//     an event may carry it. Two of its names in one event: violation "json". And it
//     names the unit of its values, documentation as title, description and examples.
//   - The stream of the annotation x-estela is one of somebody else that the events are
//     in, by its key and the field of an entry that has the event; without a field
//     the entry's own fields are the properties.
//   - The object cloudevents of the annotation says which attributes of a CloudEvent are
//     which properties: each attribute one property, each property of one attribute.
//
// Contract.Breaks says which later contract may take an earlier one's place.
//
// # Events
//
// An event is one JSON document (RFC 8259). It becomes one row, or one reject
// with every violation: its JSON pointer, the keyword that failed and what was
// expected and found. Where JSON or JSON Schema leave a choice, this is ours:
//
//   - A name that appears twice in an object, at any depth: violation "json".
//   - Bytes that are not UTF-8, half a surrogate pair (\ud800) or the character
//     U+0000, in any string or name: violation "json". The pipeline hands text to
//     SQL, CSV and C libraries, not all of which would give it back.
//   - A byte order mark, nothing at all, anything after the document's end, a
//     comment, NaN: violation "json", and nothing more is said about the rest.
//   - More than 64 levels (the event is the first): violation "json".
//   - More than 1 MiB: violation "size"; nothing of it is read.
//   - Numbers are compared as they are written, exactly: 0.1 is 0.1. One beyond a
//     double's range (1e999), anywhere: violation "json". One between two doubles
//     is stored as the nearer one, 1e-999 as 0.
//   - 1.0 and 1e3 are integers. An integer beyond 64 bits: violation "type".
//   - A date-time has a zone; one without: violation "format". It is stored in
//     UTC and in microseconds; what is finer is cut off. Years are 0000 to 9999, in
//     UTC too: 9999-12-31T23:59:59-01:00 is not taken, for no answer could write it.
//     A leap second is valid where UTC can have one, at 23:59:60, and is stored as
//     the second that follows it. T and Z may be lower case; a space for the T is
//     not taken.
//   - A UUID is 8-4-4-4-12 hex digits of either case and any version.
//   - Lengths count code points.
//   - Objects and arrays are checked by their own schema and stored with the bytes
//     that were sent.
//   - Messages quote at most 80 bytes of a value, pointers at most 128 of a name.
//     Beyond 1,000 violations a last one, "limit", says that there are more.
//
// Text that stands alone (ParseScalar: a request's parameters, reference tables) is
// read by the same rules. The empty string is a string and no other value; that
// there is no value is said by leaving it out, or by null.
//
// A batch entry holds one event a line (NDJSON). Lines are counted from 1, blank
// ones too, though nothing becomes of them; a carriage return before the newline
// is white space. A bad line is rejected alone. A stream entry that holds no
// event is a reject with the violation "entry".
//
// An entry's own fields are text and are read as the fields of CSV are (Shape.AppendText):
// a text that is no value of its property's type stays a string, which is a violation; an
// empty one is absent. A field that is in the entry twice is a violation "entry". The
// reject is the fields, as one JSON object of strings.
package contract
