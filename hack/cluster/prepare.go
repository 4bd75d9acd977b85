package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/registryhub/registryhub/hack/cluster/pki"
	"github.com/registryhub/registryhub/hack/cluster/plan"
)

// files maps paths below a sandbox's folder to what they hold. Keys and kubeconfigs are the owner's.
type files map[string][]byte

func (f files) write(folder string) error {
	for name, content := range f {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("making a folder of the cluster: %w", err)
		}
		if err := os.WriteFile(file, content, modeOf(name)); err != nil {
			return fmt.Errorf("writing a file of the cluster: %w", err)
		}
	}
	return nil
}

// addPair adds a certificate and its key.
func (f files) addPair(name string, pair pki.Pair) {
	f["etc/kubernetes/pki/"+name+".pem"] = pair.Certificate
	f["etc/kubernetes/pki/"+name+"-key.pem"] = pair.Key
}

// prepare writes every file of the cluster: certificates and configuration.
func (c *cluster) prepare(context.Context) error {
	step("writing certificates and configuration to %s", stateFolder)
	if err := os.MkdirAll(stateFolder, 0o755); err != nil {
		return fmt.Errorf("making the cluster's folder: %w", err)
	}
	if err := c.record(); err != nil {
		return err
	}
	trust, err := newTrust()
	if err != nil {
		return err
	}
	if err := trust.write(); err != nil {
		return err
	}
	if err := c.prepareControlPlane(trust); err != nil {
		return err
	}
	for _, node := range c.nodes() {
		if err := c.prepareNode(node, trust); err != nil {
			return err
		}
	}
	return nil
}

// folders makes what every sandbox's folder has besides files.
func folders(folder string, more ...string) error {
	for _, name := range append([]string{"etc", "etc-work", "var/cache", "var/lib", "var/log"}, more...) {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			return fmt.Errorf("making a folder of the cluster: %w", err)
		}
	}
	temporary := filepath.Join(folder, "var/tmp")
	if err := os.Mkdir(temporary, 0o755); err != nil {
		return fmt.Errorf("making a folder of the cluster: %w", err)
	}
	// Apart from Mkdir, whose mode the umask narrows.
	if err := os.Chmod(temporary, os.ModeSticky|0o777); err != nil {
		return fmt.Errorf("making a folder of the cluster: %w", err)
	}
	if err := os.Symlink("/run", filepath.Join(folder, "var/run")); err != nil {
		return fmt.Errorf("making a folder of the cluster: %w", err)
	}
	return nil
}

func (c *cluster) prepareControlPlane(trust *trust) error {
	folder := path(plan.ControlPlane)
	if err := folders(folder, "var/lib/names"); err != nil {
		return err
	}
	content, err := trust.controlPlaneFiles()
	if err != nil {
		return err
	}
	content["etc/hosts"] = plan.HostsFile(plan.ControlPlane, c.nodes())
	content[plan.AuditPolicyFile] = plan.AuditPolicy()
	content["var/lib/names/hosts"] = plan.HostsFile(plan.ControlPlane, c.nodes())
	if err := content.write(folder); err != nil {
		return err
	}
	return copySelf(folder)
}

// copySelf copies this program to where a sandbox runs it from; `go run` removes the original.
func copySelf(folder string) error {
	target := filepath.Join(folder, plan.Self)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("copying this program: %w", err)
	}
	source, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("opening this program: %w", err)
	}
	defer func() { _ = source.Close() }()
	copied, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return fmt.Errorf("copying this program: %w", err)
	}
	if _, err := io.Copy(copied, source); err != nil {
		return fmt.Errorf("copying this program: %w", err)
	}
	return copied.Close()
}

func (c *cluster) prepareNode(node plan.Node, trust *trust) error {
	folder := path(node.Name)
	if err := folders(folder, "var/lib/kubelet", "var/lib/containerd"); err != nil {
		return err
	}
	content, err := trust.nodeFiles(node)
	if err != nil {
		return err
	}
	for file, value := range plan.Shadowed() {
		content["sysctl/"+file] = []byte(value)
	}
	content["etc/hosts"] = plan.HostsFile(node.Name, c.nodes())
	content["etc/resolv.conf"] = plan.ResolvConf()
	content["etc/kubernetes/kubelet.json"] = node.KubeletConfig()
	content["etc/containerd/config.toml"] = plan.ContainerdConfig(c.Containerd)
	content["etc/cni/net.d/10-pods.conflist"] = node.CNIConfig()
	if err := os.MkdirAll(filepath.Join(folder, "etc/containerd/certs.d"), 0o755); err != nil {
		return fmt.Errorf("making a folder of the cluster: %w", err)
	}
	if err := content.write(folder); err != nil {
		return err
	}
	return copySelf(folder)
}
