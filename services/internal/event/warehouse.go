package event

import "fmt"

// Warehouse identifies a warehouse. The streams of a dataset belong to one: what was trimmed from them
// is stored nowhere else.
type Warehouse struct {
	// Identity is a random text, stored in the warehouse when it is created; a copy of a file has
	// the same.
	Identity string `json:"identity"`
	// Location is the file's path or md:NAME.
	Location string `json:"location"`
	// Host is the machine of the process that has it open.
	Host string `json:"host"`
}

func (w Warehouse) String() string {
	return fmt.Sprintf("%s on %s (identity %s)", w.Location, w.Host, w.Identity)
}

// OtherWarehouseError refuses streams that are claimed by another warehouse: each of the two would store
// a part of the events.
type OtherWarehouseError struct {
	Dataset string
	// Owner is the warehouse that claimed them, This the one that was refused.
	Owner, This Warehouse
	// Redis is the server's URL, fit for logs.
	Redis string
}

func (e *OtherWarehouseError) Error() string { return e.Reason() + ". " + e.Hint() }

// Reason describes the conflict.
func (e *OtherWarehouseError) Reason() string {
	return fmt.Sprintf("dataset %s: its streams at %s belong to the warehouse %s, and this is %s: each would store a part of the events",
		e.Dataset, e.Redis, e.Owner, e.This)
}

// Hint says what to do.
func (e *OtherWarehouseError) Hint() string {
	return "Start with that warehouse (--warehouse or --data-dir), or use another Redis; to move the streams here, " +
		"stop its worker and run 'estela warehouse claim " + e.Dataset + "' with this warehouse and this Redis"
}
