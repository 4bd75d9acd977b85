package resources

import (
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// EndpointURL is where nodes should reach a hub that has this Service; empty while it has no address.
func EndpointURL(hub *v1alpha1.RegistryHub, service *corev1.Service) string {
	if service == nil || service.Spec.ClusterIP == "" || service.Spec.ClusterIP == corev1.ClusterIPNone {
		return ""
	}
	scheme := "http://"
	if HasTLS(hub) {
		scheme = "https://"
	}
	return scheme + clusterAddress(service)
}

// Serves says whether a URL leads to a hub by its Service.
func Serves(service *corev1.Service, url string) bool {
	_, address, _ := strings.Cut(url, "://")
	return service != nil && address == clusterAddress(service)
}

func clusterAddress(service *corev1.Service) string {
	return net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(RegistryPort))
}

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
