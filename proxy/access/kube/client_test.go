package kube

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/registryhub/registryhub/proxy/metrics"
)

func TestWhereNothingAnswersNobodyIsKnown(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	content := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'https://%s'}}]\ncontexts: [{name: a, context: {cluster: a}}]\ncurrent-context: a\n", address)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Connect(file, Options{Hub: "internal", Audience: audience, Logger: logr.Discard(), Metrics: metrics.New(prometheus.NewRegistry())})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Identify(t.Context(), goodFor(time.Hour)); statusOf(err) != 503 || !strings.Contains(err.Error(), "creating a TokenReview") {
		t.Errorf("got %v, want 503", err)
	}
}

func TestWhatCannotBeReachedIsSaid(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := Connect("", Options{Hub: "internal", Audience: audience, Logger: logr.Discard(), Metrics: metrics.New(prometheus.NewRegistry())}); err == nil || !strings.Contains(err.Error(), "as a Pod does") {
		t.Errorf("outside of a Pod: %v", err)
	}
	missing := filepath.Join(t.TempDir(), "kubeconfig")
	if _, err := Connect(missing, Options{Hub: "internal", Audience: audience, Logger: logr.Discard(), Metrics: metrics.New(prometheus.NewRegistry())}); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("without the file: %v", err)
	}
}
