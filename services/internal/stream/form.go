package stream

import (
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// form is where an entry has its events. The zero form is that of Estela's own streams: the field
// "event" or the field "events".
type form struct {
	// field is the field with the event, one JSON document.
	field string
	// fields: the entry's own fields are the event's properties.
	fields bool
}

func formOf(s *contract.Stream) form {
	return form{field: s.EventField(), fields: s.HasFields()}
}

// take takes a field of an entry and returns how many events' fields it is.
func (f form) take(entry *event.Entry, name, value []byte) int {
	switch {
	case f.field != "" && string(name) == f.field:
		entry.Kind, entry.Payload = event.Single, value
		return 1
	case string(name) == "traceparent":
		entry.Trace = value
	case f.fields || f.field != "":
	case string(name) == contract.FieldEvent:
		entry.Kind, entry.Payload = event.Single, value
		return 1
	case string(name) == contract.FieldEvents:
		entry.Kind, entry.Payload = event.Lines, value
		return 1
	}
	return 0
}

// otherwise is the kind of an entry without one such field.
func (f form) otherwise() event.Kind {
	if f.fields {
		return event.Fields
	}
	return event.UnknownEntry
}
