package api_test

import (
	"testing"

	"go.uber.org/goleak"
)

// tests closes shared resources before goleak runs.
type tests struct{ *testing.M }

func (t tests) Run() int {
	code := t.M.Run()
	closeFlights()
	return code
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(tests{m},
		// Fiber's clock, which runs as long as the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// Notices within 10 s that its server has stopped, and ends.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}
