package api

import "golang.org/x/sys/unix"

// peerClosed reports whether the peer has closed the connection or its half of it, even if there
// are unread bytes.
func peerClosed(fd int) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(poll, 0)
	return err == nil && n > 0 && poll[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}
