package contender

import (
	"context"
	"fmt"

	"github.com/registryhub/registryhub/hack/bench/client"
)

// StartUpstream starts the synthetic upstream, which program is when it is called with verb, an address and a tree.
func StartUpstream(ctx context.Context, program, verb, tree, directory string) (*Server, error) {
	address, err := FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	server := &Server{Puller: client.Puller{Address: address}, place: Place{Directory: directory, Tree: tree}}
	server.command = func() (string, []string) { return program, []string{verb, address, tree} }
	if _, err := server.Restart(ctx); err != nil {
		return nil, fmt.Errorf("starting the synthetic upstream: %w", err)
	}
	return server, nil
}
