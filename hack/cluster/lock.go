package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// lockAddress is an abstract Unix socket: whoever listens there works on the machine's one cluster,
// and the kernel frees the address when that process ends.
const lockAddress = "@registryhub-cluster"

// lock waits until no other up or down runs on this machine; the function it returns lets others go on.
func lock(ctx context.Context) (unlock func(), err error) {
	for said := false; ; {
		listener, err := new(net.ListenConfig).Listen(ctx, "unix", lockAddress)
		if err == nil {
			return func() { _ = listener.Close() }, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("making sure that no other command works on the cluster: %w", err)
		}
		if !said {
			step("waiting for another up or down to finish")
			said = true
		}
		if !pause(ctx, 200*time.Millisecond) {
			return nil, fmt.Errorf("waiting for another up or down to finish: %w", ctx.Err())
		}
	}
}
