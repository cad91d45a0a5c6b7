package event

import "fmt"

// Warehouse identifies a warehouse. The streams of a dataset belong
// to one: what its worker has taken out of them is nowhere else.
type Warehouse struct {
	// Identity is a random text that the warehouse got when it was made; a copy of a
	// file has the same.
	Identity string `json:"identity"`
	// Location is the file's path or md:NAME, as its process sees it.
	Location string `json:"location"`
	// Host is the machine of that process.
	Host string `json:"host"`
}

func (w Warehouse) String() string {
	return fmt.Sprintf("%s on %s (identity %s)", w.Location, w.Host, w.Identity)
}

// OtherWarehouseError refuses the streams of a dataset to a warehouse that they don't
// belong to: each of the two would get a part of the events.
type OtherWarehouseError struct {
	Dataset string
	// Owner is the warehouse they belong to, This the one that was refused.
	Owner, This Warehouse
	// Redis is the server's URL, fit for logs.
	Redis string
}

func (e *OtherWarehouseError) Error() string { return e.Reason() + ". " + e.Hint() }

// Reason says what is wrong.
func (e *OtherWarehouseError) Reason() string {
	return fmt.Sprintf("dataset %s: its streams at %s belong to the warehouse %s, and this is %s: each would store a part of the events",
		e.Dataset, e.Redis, e.Owner, e.This)
}

// Hint is what can be done.
func (e *OtherWarehouseError) Hint() string {
	return "Start with that warehouse (--warehouse or --data-dir), or use another Redis; to go on here with what the streams still hold, " +
		"stop its worker and run 'estela warehouse claim " + e.Dataset + "' with this warehouse and this Redis"
}
