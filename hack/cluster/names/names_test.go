package names

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

const hosts = `# names
10.89.0.1 registry.test other.test # a comment
::1 six.test
nonsense broken.test
10.89.0.9 registry.test
`

func TestLookUp(t *testing.T) {
	for sentence, tc := range map[string]struct {
		name, want string
	}{
		"the last line counts":       {"registry.test", "10.89.0.9"},
		"any name of a line":         {"other.test", "10.89.0.1"},
		"case does not matter":       {"OTHER.test", "10.89.0.1"},
		"no answer from a comment":   {"comment", ""},
		"no IPv6":                    {"six.test", ""},
		"no address":                 {"broken.test", ""},
		"a name that is not there":   {"elsewhere.test", ""},
		"not by the end of the name": {"test", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			address, ok := lookUp(hosts, tc.name)
			if ok != (tc.want != "") || ok && address.String() != tc.want {
				t.Errorf("%s is %v, %v, want %q", tc.name, address, ok, tc.want)
			}
		})
	}
}

func TestServicesAnswerPodsOnly(t *testing.T) {
	clusterIP := func(_ context.Context, namespace, name string) (string, error) {
		switch namespace + "/" + name {
		case "registryhub-system/docker-io":
			return "10.96.0.7", nil
		case "registryhub-system/headless":
			return "None", nil
		default:
			return "", errors.New("not found")
		}
	}
	resolve := Services(netip.MustParsePrefix("10.244.0.0/16"), clusterIP)
	for sentence, tc := range map[string]struct {
		name, from, want string
	}{
		"a Service":               {"docker-io.registryhub-system.svc.cluster.local", "10.244.1.5", "10.96.0.7"},
		"a Service, from a node":  {"docker-io.registryhub-system.svc.cluster.local", "10.89.0.11", ""},
		"a headless Service":      {"headless.registryhub-system.svc.cluster.local", "10.244.1.5", ""},
		"an unknown Service":      {"ghcr-io.registryhub-system.svc.cluster.local", "10.244.1.5", ""},
		"a name of another kind":  {"registryhub-system.svc.cluster.local", "10.244.1.5", ""},
		"a name from the outside": {"registry.test", "10.244.1.5", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			address, ok := resolve(context.Background(), Question{Name: tc.name, From: netip.MustParseAddr(tc.from)})
			if ok != (tc.want != "") || ok && address.String() != tc.want {
				t.Errorf("%s is %v, %v, want %q", tc.name, address, ok, tc.want)
			}
		})
	}
}

func TestServeAnswersGoResolver(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(file, []byte(hosts), 0o600); err != nil {
		t.Fatal(err)
	}
	connection, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, connection, Either(HostsFile("/no/such/file"), HostsFile(file))) }()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "udp", connection.LocalAddr().String())
	}}
	addresses, err := resolver.LookupHost(ctx, "registry.test.")
	if err != nil || len(addresses) != 1 || addresses[0] != "10.89.0.9" {
		t.Errorf("registry.test is %v, %v, want 10.89.0.9", addresses, err)
	}
	var missing *net.DNSError
	if _, err := resolver.LookupHost(ctx, "elsewhere.test."); !errors.As(err, &missing) || !missing.IsNotFound {
		t.Errorf("elsewhere.test gives %v, want not found", err)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("serving ended with %v", err)
	}
}
