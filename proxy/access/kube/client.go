package kube

import (
	"fmt"

	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Connect returns a Cluster whose API server is where a kubeconfig file says, or, without a file, where a Pod finds it, with
// the token of the Pod's ServiceAccount, which is read anew as the kubelet renews it. It makes what the options have to ask
// with, and asks nothing yet.
func Connect(kubeconfig string, options Options) (*Cluster, error) {
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
	options.Tokens, options.Rights = tokens.TokenReviews(), rights.SubjectAccessReviews()
	return New(options), nil
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
