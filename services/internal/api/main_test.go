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
	goleak.VerifyTestMain(tests{m},
		// Writes the date for all servers of a process, for as long as it lives.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// Looks once in 10 s whether its server has stopped, and then ends.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}
