package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/cluster/pki"
)

// hubs are proxies, each at an address of its own, as Services have.
type hubs struct {
	authority *pki.Authority
	servers   []*contender.Server
}

// startHubs starts so many of them over TLS.
func startHubs(ctx context.Context, count int, place contender.Place) (*hubs, error) {
	authority, err := pki.NewAuthority("hubs")
	if err != nil {
		return nil, err
	}
	h := &hubs{authority: authority}
	place.TLS, place.Authority = true, authority
	parent := place.Directory
	for n := range count {
		place.IP, place.Directory = fmt.Sprintf("127.0.1.%d", n+1), filepath.Join(parent, hubName(n))
		err := os.Mkdir(place.Directory, 0o755)
		if err == nil {
			var server *contender.Server
			if server, err = contender.Start(ctx, contender.Ours, place); err == nil {
				h.servers = append(h.servers, server)
			}
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("starting hub %d: %w", n, err), h.stop())
		}
	}
	return h, nil
}

func (h *hubs) stop() error {
	var errs []error
	for _, server := range h.servers {
		errs = append(errs, server.Stop())
	}
	return errors.Join(errs...)
}

// cpu is what all of them have used.
func (h *hubs) cpu() (time.Duration, error) {
	var sum time.Duration
	for _, server := range h.servers {
		used, err := server.CPU()
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// entries of the first of them in a NodeConfiguration of a revision.
func (h *hubs) entries(count int, revision int64) []configv1alpha1.NodeHub {
	var entries []configv1alpha1.NodeHub
	for n, server := range h.servers[:count] {
		entries = append(entries, configv1alpha1.NodeHub{
			Name: hubName(n), UID: uidOf(hostOf(n)), Revision: revision, Hosts: []string{hostOf(n)}, Endpoint: "https://" + server.Address,
		})
	}
	return entries
}

func hubName(n int) string { return fmt.Sprintf("hub-%d", n) }

func hostOf(n int) string { return hubName(n) + ".bench.example" }

// uidOf is that of the hub which has a host.
func uidOf(host string) string { return "uid-of-" + host }
