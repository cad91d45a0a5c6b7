// Package exposition reads what the services expose, so that tests feed Prometheus with the series that a system
// really has.
package exposition

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Path is the file in which the services' own tests keep what they expose, from the module's folder.
const Path = "../services/internal/telemetry/testdata/metrics.txt"

// Series is one that is exposed, with its value at that time.
type Series struct {
	// Name is with its suffix, such as _bucket.
	Name   string
	Labels map[string]string
	// Kind is counter, gauge or histogram, of the family that the series belongs to.
	Kind  string
	Value float64
}

var pair = regexp.MustCompile(`(\w+)="([^"]*)"`)

// Read are the series of a text in Prometheus' format, in its order. Label values with quotes in them are not
// understood; the services have none.
func Read(text []byte) (all []Series, err error) {
	kind := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if family, ok := strings.CutPrefix(line, "# TYPE "); ok {
			kind = family[strings.LastIndexByte(family, ' ')+1:]
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if at < 0 {
			return nil, fmt.Errorf("read series %q: want a name and a value", line)
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("read series %q: %w", line, err)
		}
		name, labels, _ := strings.Cut(line[:at], "{")
		s := Series{Name: name, Labels: map[string]string{}, Kind: kind, Value: value}
		for _, found := range pair.FindAllStringSubmatch(labels, -1) {
			s.Labels[found[1]] = found[2]
		}
		all = append(all, s)
	}
	return all, nil
}
