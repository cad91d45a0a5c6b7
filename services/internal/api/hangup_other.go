//go:build !linux

package api

import (
	"errors"

	"golang.org/x/sys/unix"
)

// hungUp reports whether the other end of the socket has closed it. After bytes that are to
// be read it does not see that.
func hungUp(fd int) bool {
	var one [1]byte
	n, _, err := unix.Recvfrom(fd, one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return n == 0 && err == nil || errors.Is(err, unix.ECONNRESET)
}
