package warehouse

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/ringsaturn/tzf"
)

// zones finds time zones by coordinates. Its polygons take a second and a hundred
// megabytes, so that it is made when a mapping first asks.
var zones = sync.OnceValues(tzf.NewDefaultFinder)

// timezoneAt is the SQL function timezone_at(latitude, longitude).
type timezoneAt struct{}

// registerTimezones adds timezone_at to the instance.
func registerTimezones(conn *sql.Conn) error {
	if _, err := zones(); err != nil {
		return fmt.Errorf("load time zones: %w", err)
	}
	if err := duckdb.RegisterScalarUDF(conn, "timezone_at", timezoneAt{}); err != nil {
		return fmt.Errorf("register timezone_at: %w", err)
	}
	return nil
}

// Config gives the function's signature.
func (timezoneAt) Config() duckdb.ScalarFuncConfig {
	number, _ := duckdb.NewTypeInfo(duckdb.TYPE_DOUBLE)
	text, _ := duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR)
	return duckdb.ScalarFuncConfig{InputTypeInfos: []duckdb.TypeInfo{number, number}, ResultTypeInfo: text}
}

// Executor gives the function.
func (timezoneAt) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{RowExecutor: zoneOf}
}

// zoneOf is NULL where there is no zone: coordinates out of range.
func zoneOf(args []driver.Value) (any, error) {
	latitude, ok1 := args[0].(float64)
	longitude, ok2 := args[1].(float64)
	if !ok1 || !ok2 || latitude < -90 || latitude > 90 || longitude < -180 || longitude > 180 {
		return nil, nil
	}
	finder, err := zones()
	if err != nil {
		return nil, err
	}
	if name := finder.GetTimezoneName(longitude, latitude); name != "" {
		return name, nil
	}
	return nil, nil
}
