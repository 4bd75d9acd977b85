package kube

import (
	"fmt"

	"github.com/go-logr/logr"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Connect returns a Cluster whose API server is where a kubeconfig file says, or, without a file, where a Pod finds it, with
// the token of the Pod's ServiceAccount, which is read anew as the kubelet renews it. It asks nothing yet.
func Connect(kubeconfig, hub, audience string, logger logr.Logger) (*Cluster, error) {
	reached, err := configOf(kubeconfig)
	if err != nil {
		return nil, err
	}
	reached.QPS, reached.Timeout = -1, patience // questions have a pace of their own
	reached.UserAgent = "registryhub-proxy"
	tokens, err := authenticationclient.NewForConfig(reached)
	if err != nil {
		return nil, fmt.Errorf("making a client for TokenReviews: %w", err)
	}
	rights, err := authorizationclient.NewForConfig(reached)
	if err != nil {
		return nil, fmt.Errorf("making a client for SubjectAccessReviews: %w", err)
	}
	return New(Options{Hub: hub, Audience: audience, Tokens: tokens.TokenReviews(), Rights: rights.SubjectAccessReviews(), Logger: logger}), nil
}

func configOf(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		reached, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("finding the API server and a token for it, as a Pod does: %w", err)
		}
		return reached, nil
	}
	reached, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading how the API server is reached of %s: %w", kubeconfig, err)
	}
	return reached, nil
}
