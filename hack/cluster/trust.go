package main

import (
	"io/fs"
	"os"
	"strings"

	"github.com/registryhub/registryhub/hack/cluster/pki"
	"github.com/registryhub/registryhub/hack/cluster/plan"
)

// trust is the cluster's certificates that are needed in more than one place.
type trust struct {
	cluster, frontProxy, test *pki.Authority
	admin                     pki.Pair
}

func newTrust() (*trust, error) {
	made := &trust{}
	var err error
	if made.cluster, err = pki.NewAuthority("registryhub-cluster"); err != nil {
		return nil, err
	}
	if made.frontProxy, err = pki.NewAuthority("registryhub-cluster-front-proxy"); err != nil {
		return nil, err
	}
	if made.test, err = pki.NewAuthority("registryhub-cluster-test"); err != nil {
		return nil, err
	}
	made.admin, err = made.cluster.Issue(pki.Leaf{CommonName: "registryhub-admin", Groups: []string{"system:masters"}})
	return made, err
}

// write stores what is for the user of the cluster.
func (t *trust) write() error {
	if err := t.test.Write(path("test-ca")); err != nil {
		return err
	}
	if err := t.admin.Write(path("admin")); err != nil {
		return err
	}
	return files{
		"ca.pem":     t.cluster.Certificate,
		"kubeconfig": plan.Kubeconfig(t.cluster.Certificate, t.admin),
	}.write(stateFolder)
}

func (t *trust) controlPlaneFiles() (files, error) {
	content := files{}
	content.addPair("ca", t.cluster.Pair)
	content.addPair("admin", t.admin)
	content["etc/kubernetes/pki/front-proxy-ca.pem"] = t.frontProxy.Certificate
	frontProxy, err := t.frontProxy.Issue(pki.Leaf{CommonName: "front-proxy"})
	if err != nil {
		return nil, err
	}
	content.addPair("front-proxy", frontProxy)
	for name, leaf := range map[string]pki.Leaf{
		"apiserver": {CommonName: "kube-apiserver", Hosts: []string{
			plan.ControlPlaneAddress, plan.KubernetesService, "127.0.0.1", "localhost", plan.ControlPlane,
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		}},
		"apiserver-kubelet": {CommonName: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}},
		"service-account":   {CommonName: "service-accounts"},
	} {
		pair, err := t.cluster.Issue(leaf)
		if err != nil {
			return nil, err
		}
		content.addPair(name, pair)
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		if err := t.addKubeconfig(content, name, pki.Leaf{CommonName: "system:" + name}); err != nil {
			return nil, err
		}
	}
	return content, nil
}

func (t *trust) nodeFiles(node plan.Node) (files, error) {
	content := files{
		"etc/kubernetes/pki/ca.pem":          t.cluster.Certificate,
		strings.TrimPrefix(plan.TestCA, "/"): t.test.Certificate,
	}
	serving, err := t.cluster.Issue(pki.Leaf{CommonName: "system:node:" + node.Name, Groups: []string{"system:nodes"}, Hosts: []string{node.Name, node.Address}})
	if err != nil {
		return nil, err
	}
	content.addPair("kubelet", serving)
	content.addPair("admin", t.admin)
	if err := t.addKubeconfig(content, "kubelet", pki.Leaf{CommonName: "system:node:" + node.Name, Groups: []string{"system:nodes"}}); err != nil {
		return nil, err
	}
	return content, t.addKubeconfig(content, "kube-proxy", pki.Leaf{CommonName: "system:kube-proxy"})
}

func (t *trust) addKubeconfig(content files, name string, client pki.Leaf) error {
	pair, err := t.cluster.Issue(client)
	if err != nil {
		return err
	}
	content["etc/kubernetes/"+name+".kubeconfig"] = plan.Kubeconfig(t.cluster.Certificate, pair)
	return nil
}

// modeOf keeps keys from everyone but their owner.
func modeOf(name string) fs.FileMode {
	if strings.HasSuffix(name, "-key.pem") || strings.HasSuffix(name, "kubeconfig") {
		return 0o600
	}
	return os.FileMode(0o644)
}
