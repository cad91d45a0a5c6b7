package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw sends bytes as they are and returns the statuses of all answers up to the end of the
// connection, and whether the server ended it.
func raw(t *testing.T, url, text string) (statuses []int, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(text, " ")
	answers := bufio.NewReader(conn)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		if _, err := answers.Peek(1); err != nil {
			return statuses, !strings.Contains(err.Error(), "timeout")
		}
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		res, err := http.ReadResponse(answers, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q: %v after %v", text, err, statuses)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		statuses = append(statuses, res.StatusCode)
	}
}

// A header that can't be parsed may be the key: the answer doesn't quote it.
func TestBrokenHeadersAreNotQuoted(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\nSELECT 1 AS n"})
	conn, err := net.Dial("tcp", strings.TrimPrefix(i.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nAuthorization Bearer estela_secret\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "The request is no valid HTTP/1.1.") || strings.Contains(string(text)+i.log.String(), "estela_secret") {
		t.Errorf("%v %d %s %s", err, res.StatusCode, text, i.log.String())
	}
}

// Request smuggling: ambiguous framing is rejected, and nothing after it is answered.
func TestFramingIsRefused(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\n-- cache: 1h\nSELECT 1 AS n"})
	i.rows(t, "/v1/test/one") // so that the cache has it: the shortest way
	const second = "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, text := range map[string]string{
		"two content lengths":       "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
		"two equal content lengths": "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
		"a list of lengths":         "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n",
		"a signed length":           "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
		"length and encoding":       "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"unknown encoding":          "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
		"identity encoding":         "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
		"encoding in HTTP/1.0":      "GET /v1/test/one HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked body":              "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunk extension":           "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0;a\n\r\n\r\n",
		"body":                      "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		"body of a HEAD":            "HEAD /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		"no host":                   "GET /v1/test/one HTTP/1.1\r\n\r\n",
		"empty host":                "GET /v1/test/one HTTP/1.1\r\nHost:\r\n\r\n",
		"two hosts":                 "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"folded header":             "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
		"header folded by a tab":    "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\tHost: c\r\n\r\n",
		"space before the first":    "GET /v1/test/one HTTP/1.1\r\n Host: b\r\nHost: a\r\n\r\n",
		"space before the colon":    "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length : 0\r\n\r\n",
		"HTTP/3.7":                  "GET /v1/test/one HTTP/3.7\r\nHost: a\r\n\r\n",
		"HTTP/1.2":                  "GET /v1/test/one HTTP/1.2\r\nHost: a\r\n\r\n",
		"HTTP/0.9":                  "GET /v1/test/one HTTP/0.9\r\nHost: a\r\n\r\n",
		"bare newline in the line":  "GET /v1/test/one HTTP/1.1\nHost: a\r\n\r\n",
		"bare newline in a header":  "GET /v1/test/one HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n",
		"bare newlines at the end":  "GET /v1/test/one HTTP/1.1\r\nHost: a\r\n\n",
		"bare return":               "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nX-A: b\rc\r\n\r\n",
		"invalid host":              "GET /v1/test/one HTTP/1.1\r\nHost: a b\r\n\r\n",
		"host with a path":          "GET /v1/test/one HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"two hosts that are equal":  "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"target with another host":  "GET http://b/v1/test/one HTTP/1.1\r\n\r\n",
		"negative length":           "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
		"length in hexadecimal":     "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n",
		"length with a space":       "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length: 0 0\r\n\r\n",
		"empty length":              "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
		"length of ten to the 20":   "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000000000000\r\n\r\n",
		"encoding before length":    "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"two encodings":             "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		"two lines of encodings":    "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"empty encoding":            "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n",
		"encoding, space, colon":    "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"encoding in odd case":      "GET /v1/test/one HTTP/1.1\r\nHost: a\r\ntRANSFER-eNCODING: chunked\r\n\r\n0\r\n\r\n",
		"return in the target":      "GET /v1/test\r/one HTTP/1.1\r\nHost: a\r\n\r\n",
		"space in the target":       "GET /v1/test /one HTTP/1.1\r\nHost: a\r\n\r\n",
		"NUL in a name":             "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nX\x00: b\r\n\r\n",
		"no colon":                  "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nX-A\r\n\r\n",
		"no name":                   "GET /v1/test/one HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
		"NUL":                       "GET /v1/test/one HTTP/1.1\r\nHost: a\r\nX-A: b\x00c\r\n\r\n",
	} {
		statuses, closed := raw(t, i.URL, text+second)
		if len(statuses) != 1 || statuses[0] != http.StatusBadRequest || !closed {
			t.Errorf("%s: %v, closed: %t; want 400 and nothing after", name, statuses, closed)
		}
	}
	// Other methods are rejected, and their bodies are not parsed as requests.
	for _, body := range []string{"Content-Length: 34\r\n\r\nGET /v1 HTTP/1.1\r\nHost: a\r\n\r\n{\n}\n\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"} {
		statuses, closed := raw(t, i.URL, "POST /v1/test/one HTTP/1.1\r\nHost: a\r\n"+body+second)
		if len(statuses) != 1 || statuses[0] != http.StatusMethodNotAllowed && statuses[0] != http.StatusBadRequest || !closed {
			t.Errorf("POST: %v, closed: %t", statuses, closed)
		}
	}
}

// A request may be split over packets.
func TestFramingIsRefusedInPieces(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\nSELECT 1 AS n"})
	for _, pieces := range [][]string{
		{"GET /v1/test/one HTTP/1.1\r\nHost: a\r\nX-A: b\r\n", " c\r\n\r\n"},
		{"GET /v1/test/one HTTP/1.1", "\nHost: a\r\n\r\n"},
		{"GET /v1/test/one HTTP/1.1\r\nHost: a\r\nTransfer-Enc", "oding: identity\r\n\r\n"},
		{"GET /v1/test/one HTTP/1.1\r\nHost: a\r\nT", "ransfer-encodin", "g:chunked\r\n\r\n0\r\n\r\n"},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(i.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		for _, piece := range pieces {
			_, _ = io.WriteString(conn, piece)
			time.Sleep(50 * time.Millisecond)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %v, %v", pieces, res, err)
		}
		conn.Close()
	}
}

// What HTTP allows is answered; a request that is too long is rejected, with all after it.
func TestGoodFramingIsAnswered(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\nSELECT 1 AS n"})
	const get = "GET /v1/test/one HTTP/1.1\r\nHost: a\r\n"
	for name, c := range map[string]struct {
		text   string
		want   []int
		closed bool
	}{
		"one":                  {get + "\r\n", []int{200}, false},
		"pipelined":            {strings.Repeat(get+"\r\n", 5), []int{200, 200, 200, 200, 200}, false},
		"pipelined with a 404": {get + "\r\n" + "GET /none HTTP/1.1\r\nHost: a\r\n\r\n" + get + "\r\n", []int{200, 404, 200}, false},
		"HEAD":                 {"HEAD /v1/test/one HTTP/1.1\r\nHost: a\r\n\r\n", []int{200}, false},
		"HTTP/1.0":             {"GET /v1/test/one HTTP/1.0\r\n\r\n", []int{200}, true},
		"HTTP/1.0 kept":        {"GET /v1/test/one HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", []int{200}, false},
		"closing":              {get + "Connection: close\r\n\r\n", []int{200}, true},
		"no body":              {get + "Content-Length: 0\r\n\r\n" + get + "\r\n", []int{200, 200}, false},
		"a line in front":      {"\r\n" + get + "\r\n", []int{200}, false},
		"target with a host":   {"GET http://a/v1/test/one HTTP/1.1\r\nHost: a\r\n\r\n", []int{200}, false},
		"a long line":          {get + "X-A: " + strings.Repeat("a", 100<<10) + "\r\n\r\n" + get + "\r\n", []int{431}, true},
		"a long target":        {"GET /" + strings.Repeat("a", 100<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n" + get + "\r\n", []int{431}, true},
		"many lines":           {get + strings.Repeat("X-A: b\r\n", 10_000) + "\r\n" + get + "\r\n", []int{431}, true},
		"tabs in a value":      {get + "X-A: b\t c\r\n\r\n", []int{200}, false},
	} {
		statuses, closed := raw(t, i.URL, c.text)
		if fmt.Sprint(statuses) != fmt.Sprint(c.want) || closed != c.closed {
			t.Errorf("%s: %v, closed: %t; want %v, %t", name, statuses, closed, c.want, c.closed)
		}
	}
}
