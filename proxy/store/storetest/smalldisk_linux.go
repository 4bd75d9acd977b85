package storetest

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// SmallDisk returns a directory on a file system of its own, a tmpfs with these mount options, until the test ends. That
// needs root: a test that does not run as root is run again as root of a user namespace, and here is false, because it
// has run then.
func SmallDisk(t *testing.T, options string) (dir string, here bool) {
	t.Helper()
	if os.Geteuid() != 0 {
		runAsRoot(t)
		return "", false
	}
	dir = t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, options))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir, true
}

func runAsRoot(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("testing on a small disk needs root or a user namespace: %v\n%s", err, out)
	}
}
