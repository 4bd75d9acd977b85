package resources

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// loopback is where a node reaches its own node ports.
const loopback = "127.0.0.1"

// EndpointURL is where nodes should reach a hub that has this Service; empty while it has no address.
func EndpointURL(hub *v1alpha1.RegistryHub, service *corev1.Service) string {
	addresses := serviceAddresses(service)
	scheme := "http://"
	if HasTLS(hub) {
		scheme = "https://"
	}
	switch {
	case len(addresses) == 0:
		return ""
	case hub.Spec.Endpoint.External != nil:
		return hub.Spec.Endpoint.External.URL
	case hub.Spec.Endpoint.Type != v1alpha1.EndpointNodePort:
		return scheme + addresses[0]
	case len(addresses) > 1:
		return scheme + addresses[1]
	}
	return ""
}

// Serves says whether a URL, whatever its scheme, leads to a hub by its Service or by what stands in front of that.
func Serves(hub *v1alpha1.RegistryHub, service *corev1.Service, url string) bool {
	_, address, _ := strings.Cut(url, "://")
	if external := hub.Spec.Endpoint.External; external != nil && strings.HasSuffix(external.URL, "://"+address) {
		return true
	}
	return slices.Contains(serviceAddresses(service), address)
}

// serviceAddresses are where a Service is reached: its cluster address, and its node port on each node where it has one.
func serviceAddresses(service *corev1.Service) []string {
	if service == nil || service.Spec.ClusterIP == "" || service.Spec.ClusterIP == corev1.ClusterIPNone {
		return nil
	}
	addresses := []string{net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(RegistryPort))}
	for _, port := range service.Spec.Ports {
		if port.Name == registryPortName && port.NodePort != 0 {
			addresses = append(addresses, net.JoinHostPort(loopback, strconv.Itoa(int(port.NodePort))))
		}
	}
	return addresses
}

// ledTo are the URLs that nodes are, were a short while ago or are about to be led to, beside the Service's own.
func ledTo(hub *v1alpha1.RegistryHub) []string {
	urls := []string{hub.Status.Endpoint}
	if former := hub.Status.FormerEndpoint; former != nil {
		urls = append(urls, former.URL)
	}
	switch {
	case hub.Spec.Endpoint.External != nil:
		urls = append(urls, hub.Spec.Endpoint.External.URL)
	case hub.Spec.Endpoint.Type == v1alpha1.EndpointNodePort:
		urls = append(urls, "https://"+loopback)
	}
	return urls
}

// LedHosts are the hosts of the URLs that nodes are led to, or may be: names and addresses, without ports.
func LedHosts(hub *v1alpha1.RegistryHub) []string {
	var hosts []string
	for _, led := range ledTo(hub) {
		if parsed, err := url.Parse(led); err == nil && parsed.Hostname() != "" {
			hosts = append(hosts, parsed.Hostname())
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// SameHost says whether two URLs have one host, whatever their schemes and ports.
func SameHost(one, other string) bool {
	a, errA := url.Parse(one)
	b, errB := url.Parse(other)
	return errA == nil && errB == nil && a.Hostname() == b.Hostname()
}

// hasNodePort says whether a hub's Service needs one.
func hasNodePort(hub *v1alpha1.RegistryHub) bool { return slices.Contains(LedHosts(hub), loopback) }

// speaksBoth says whether a hub's proxy serves TLS and plain HTTP: nodes are, or were a short while ago, led to it by the
// scheme that it should not have any more.
func speaksBoth(hub *v1alpha1.RegistryHub) bool {
	other := "https://"
	if HasTLS(hub) {
		other = "http://"
	}
	former := hub.Status.FormerEndpoint
	return strings.HasPrefix(hub.Status.Endpoint, other) || former != nil && strings.HasPrefix(former.URL, other)
}
