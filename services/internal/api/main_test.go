package api_test

import (
	"testing"

	"go.uber.org/goleak"
)

// tests closes what the tests share before leaks are looked for.
type tests struct{ *testing.M }

func (t tests) Run() int {
	code := t.M.Run()
	closeFlights()
	return code
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(tests{m})
}
