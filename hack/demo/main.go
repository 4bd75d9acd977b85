// Command demo shows the whole of RegistryHub at work on this machine: a real cluster of two nodes, a real upstream
// registry, a hub between them. It ends with an error if anything is not as it should be. It needs root on Linux.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := checkMachine(); err != nil {
		fail(err)
	}
	if err := newDemo().run(ctx); err != nil {
		fail(err)
	}
}

func checkMachine() error {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return errors.New("this brings up a cluster with network namespaces and kubelets: it needs root on Linux")
	}
	return nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "demo:", err)
	os.Exit(1)
}
