package api

import "golang.org/x/sys/unix"

// hungUp reports whether the other end of the socket has closed it or its half of it, even
// when there are bytes to be read before.
func hungUp(fd int) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(poll, 0)
	return err == nil && n > 0 && poll[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}
