package origin

import (
	"io"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// reserve binds a free port of loopback without listening on it. Connections to it are refused, and nobody else gets
// it, but a listener that shares the address, as Go's do, may take it up.
func reserve() (io.Closer, string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, "", os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), "reserved port")
	address, err := bind(fd)
	if err != nil {
		_ = file.Close() // nothing is lost with it
		return nil, "", err
	}
	return file, address, nil
}

func bind(fd int) (string, error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return "", os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", os.NewSyscallError("bind", err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	port := 0
	if inet, ok := bound.(*unix.SockaddrInet4); ok {
		port = inet.Port
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}
