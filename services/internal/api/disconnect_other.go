//go:build !linux

package api

import (
	"errors"

	"golang.org/x/sys/unix"
)

// peerClosed reports whether the peer has closed the connection. It can't tell while there are
// unread bytes.
func peerClosed(fd int) bool {
	var one [1]byte
	n, _, err := unix.Recvfrom(fd, one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return n == 0 && err == nil || errors.Is(err, unix.ECONNRESET)
}
