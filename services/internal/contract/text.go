package contract

import (
	"bytes"
	"encoding/json"
	"regexp"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// TextFault is a common reason for a text not to be read as the contract's type.
type TextFault uint8

// The faults.
const (
	TextFine         TextFault = iota
	TextBooleanCase            // a boolean that is not in lower case
	TextThousands              // an integer whose points may be thousands or a fraction
	TextDecimalComma           // a number with a decimal comma
)

var (
	// commaNumber matches a number with a decimal comma.
	commaNumber = regexp.MustCompile(`^[-+]?\d+([. ]\d{3})*,\d+$`)
	// thousands matches an integer with points between thousands, which may be a decimal fraction
	// instead.
	thousands = regexp.MustCompile(`^[-+]?\d{1,3}(\.\d{3})+$`)
)

// AppendText appends the JSON value of a text from where values have no types: a field of CSV, a
// field of a stream's entry. An empty text that is no value of the type is null. A text that
// can't be read as the type stays a string, which the decoder rejects; for some there is a fault.
func (s Shape) AppendText(buf, text []byte) ([]byte, TextFault) {
	kind, known := s.Column()
	switch {
	case !known || s.IsText() && (len(text) > 0 || s.IsFree()):
	case len(text) == 0:
		return append(buf, "null"...), TextFine
	case kind == column.JSON:
		if json.Valid(text) {
			return jsontext.AppendLine(buf, text), TextFine
		}
	case kind == column.Boolean:
		if string(text) == "true" || string(text) == "false" {
			return append(buf, text...), TextFine
		}
		if bytes.EqualFold(text, []byte("true")) || bytes.EqualFold(text, []byte("false")) {
			return jsontext.AppendString(buf, text), TextBooleanCase
		}
	case s.IsInteger() && bytes.IndexByte(text, '.') >= 0 && thousands.Match(text):
		return jsontext.AppendString(buf, text), TextThousands
	case s.IsNumber():
		if end, ok := jsontext.Number(text, 0); ok && end == len(text) {
			return append(buf, text...), TextFine
		}
		if commaNumber.Match(text) {
			return jsontext.AppendString(buf, text), TextDecimalComma
		}
	}
	return jsontext.AppendString(buf, text), TextFine
}
