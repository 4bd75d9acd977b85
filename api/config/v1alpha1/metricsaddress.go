package v1alpha1

import (
	"fmt"
	"net"
	"strconv"
)

// MetricsPort is the port that Prometheus finds an agent's metrics at; 0 where nobody from outside the node does.
func (c NodeAgentConfiguration) MetricsPort() int32 {
	host, port, err := net.SplitHostPort(c.MetricsAddress)
	if err != nil || host == "localhost" || net.ParseIP(host).IsLoopback() {
		return 0
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0
	}
	return int32(number)
}

func validateMetricsAddress(field, address string) error {
	if address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	number, notANumber := strconv.ParseUint(port, 10, 16)
	if err != nil || notANumber != nil || number == 0 || host != "" && host != "localhost" && net.ParseIP(host) == nil {
		return fmt.Errorf("%s: %q is not an IP address, or none, and a port, such as 127.0.0.1:20255 or :20255", field, address)
	}
	return nil
}
