package plan

import (
	"net"
	"net/url"

	"github.com/registryhub/registryhub/hack/cluster/sandbox"
)

// pki returns the path of a certificate or key inside a sandbox.
func pkiFile(name string) string { return kubernetesFolder + "/pki/" + name + ".pem" }

// kubeconfig returns the path of a component's kubeconfig inside a sandbox.
func kubeconfig(name string) string { return kubernetesFolder + "/" + name + ".kubeconfig" }

func component(name string, args ...string) sandbox.Process {
	return sandbox.Process{Name: name, Args: append([]string{name}, args...), Log: LogFile(name)}
}

// LogFile returns where the log of a process is inside its sandbox.
func LogFile(process string) string { return "/var/log/" + process + ".log" }

// Etcd returns etcd. It listens on the loopback of its own network only.
func Etcd() sandbox.Process {
	const clients, peers = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	return component("etcd",
		"--name=default",
		"--data-dir=/var/lib/etcd",
		"--listen-client-urls="+clients,
		"--advertise-client-urls="+clients,
		"--listen-peer-urls="+peers,
		"--initial-advertise-peer-urls="+peers,
		"--initial-cluster=default="+peers,
	)
}

// AuditPolicyFile is where the API server's audit policy is inside its sandbox, and AuditLog where it writes what that asks for.
const (
	AuditPolicyFile = kubernetesFolder + "/audit-policy.json"
	AuditLog        = "/var/log/audit.log"
)

// AuditPolicy has the API server tell of each request of the operator's own: who, what, and with which answer.
func AuditPolicy() []byte {
	return []byte(`{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [
{"level": "Metadata", "userGroups": ["system:serviceaccounts:registryhub-system"]}, {"level": "None"}]}`)
}

// KubeAPIServer returns kube-apiserver.
func KubeAPIServer() sandbox.Process {
	endpoint, err := url.Parse(APIServer)
	if err != nil {
		panic(err) // a constant
	}
	_, port, err := net.SplitHostPort(endpoint.Host)
	if err != nil {
		panic(err) // a constant
	}
	return component("kube-apiserver",
		"--advertise-address="+ControlPlaneAddress,
		"--bind-address="+ControlPlaneAddress,
		"--secure-port="+port,
		"--etcd-servers=http://127.0.0.1:2379",
		"--service-cluster-ip-range="+ServiceNetwork,
		"--allow-privileged=true",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--audit-policy-file="+AuditPolicyFile,
		"--audit-log-path="+AuditLog,
		"--audit-log-maxsize=4096", // MiB: one file
		"--client-ca-file="+pkiFile("ca"),
		"--tls-cert-file="+pkiFile("apiserver"),
		"--tls-private-key-file="+pkiFile("apiserver-key"),
		"--kubelet-certificate-authority="+pkiFile("ca"),
		"--kubelet-client-certificate="+pkiFile("apiserver-kubelet"),
		"--kubelet-client-key="+pkiFile("apiserver-kubelet-key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+pkiFile("service-account"),
		"--service-account-signing-key-file="+pkiFile("service-account-key"),
		"--requestheader-client-ca-file="+pkiFile("front-proxy-ca"),
		"--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+pkiFile("front-proxy"),
		"--proxy-client-key-file="+pkiFile("front-proxy-key"),
	)
}

// KubeControllerManager returns kube-controller-manager. It notices a dead node sooner than by default.
func KubeControllerManager() sandbox.Process {
	return component("kube-controller-manager",
		"--kubeconfig="+kubeconfig("kube-controller-manager"),
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+pkiFile("service-account-key"),
		"--root-ca-file="+pkiFile("ca"),
		"--cluster-signing-cert-file="+pkiFile("ca"),
		"--cluster-signing-key-file="+pkiFile("ca-key"),
		"--node-monitor-period=2s",
		"--node-monitor-grace-period=20s",
		"--pvclaimbinder-sync-period=2s",
	)
}

// KubeScheduler returns kube-scheduler.
func KubeScheduler() sandbox.Process {
	return component("kube-scheduler", "--kubeconfig="+kubeconfig("kube-scheduler"), "--leader-elect=false")
}

// Names returns the cluster's DNS.
func Names() sandbox.Process {
	return self("names", "--hosts="+NamesFile, "--listen="+net.JoinHostPort(ControlPlaneAddress, "53"))
}

// self returns a process that is this program under the verb name, as an administrator.
func self(name string, args ...string) sandbox.Process {
	process := component(name, args...)
	process.Args = append([]string{Self}, process.Args...)
	process.Args = append(process.Args, "--authority="+pkiFile("ca"), "--certificate="+pkiFile("admin"), "--key="+pkiFile("admin-key"))
	return process
}
