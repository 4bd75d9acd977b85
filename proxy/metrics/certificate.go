package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// certificate is what there is of the certificate that clients are shown. Without TLS there is no series of it.
type certificate struct {
	notAfter   *prometheus.GaugeVec
	refused    *prometheus.GaugeVec
	handshakes prometheus.Counter
}

func newCertificate() certificate {
	return certificate{
		notAfter:   prometheus.NewGaugeVec(opts("certificate_expiry_timestamp_seconds", "When the certificate expires that clients are shown. No series without TLS."), nil),
		refused:    prometheus.NewGaugeVec(opts("certificate_reload_failed", "1 while the files of certificates cannot be used, and what they held before is. No series without TLS."), nil),
		handshakes: counter("failed_handshakes_total", "Connections that ended in their TLS handshake: no TLS, or a certificate that one side does not trust."),
	}
}

func (c certificate) collectors() []prometheus.Collector {
	return []prometheus.Collector{c.notAfter, c.refused, c.handshakes}
}

// CertificateServed tells until when the certificate is good that is served with, and that its files can be used.
func (m *Metrics) CertificateServed(notAfter time.Time) {
	m.certificate.notAfter.WithLabelValues().Set(float64(notAfter.Unix()))
	m.certificate.refused.WithLabelValues().Set(0)
}

// CertificateRefused says that the files of certificates cannot be used. It stays so until CertificateServed.
func (m *Metrics) CertificateRefused() { m.certificate.refused.WithLabelValues().Set(1) }

// CertificateGone says that there is no TLS any more.
func (m *Metrics) CertificateGone() {
	m.certificate.notAfter.DeleteLabelValues()
	m.certificate.refused.DeleteLabelValues()
}

// HandshakeFailed counts a connection that ended in its TLS handshake.
func (m *Metrics) HandshakeFailed() { m.certificate.handshakes.Inc() }
