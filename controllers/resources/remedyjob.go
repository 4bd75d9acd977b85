package resources

import (
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

const (
	// remedyDeadline is more than a restart that fails and its undoing take together.
	remedyDeadline = 15 * 60
	// remedyGrace lets what has begun end: a containerd that does not come back is put right by nobody else.
	remedyGrace = 11 * 60
	// remedyRoot is where the container has the node's root.
	remedyRoot = "/host"
	// reportFile is where the kubelet reads a container's termination message.
	reportFile = "/dev/termination-log"
)

// Remedy is what a Job does, and where.
type Remedy struct {
	// Node that is mended, and its UID: the Job goes with it.
	Node    string
	NodeUID types.UID
	// Cause names what is to be mended, and in which way.
	Cause string
	// CertsDirectory is what the node's containerd has to read.
	CertsDirectory string
	// Restart has containerd restarted.
	Restart bool
}

// RemedyPodLabels select the Jobs that mend nodes, and their Pods.
func RemedyPodLabels() map[string]string {
	return map[string]string{labelName: valueName, labelComponent: componentRemedy}
}

// RemedyJob mends a node's containerd. There is no second try: what failed once on a node wants a person.
//
// Its Pod is as good as root on the node: it has the node's files and processes, changes containerd's configuration, and runs
// the node's own containerd and systemctl. It has no token, and no privilege beyond these.
func RemedyJob(settings Settings, remedy Remedy) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   settings.Namespace,
			Name:        remedyName(remedy.Node),
			Labels:      managed(RemedyPodLabels()),
			Annotations: map[string]string{v1alpha1.AnnotationRemedyCause: remedy.Cause},
			OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "v1", Kind: "Node", Name: remedy.Node, UID: remedy.NodeUID},
			},
		},
		Spec: batchv1.JobSpec{
			BackoffLimit:          new(int32(0)),
			ActiveDeadlineSeconds: new(int64(remedyDeadline)),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: managed(RemedyPodLabels())},
				Spec:       remedyPod(settings, remedy),
			},
		},
	}
}

// remedyName is the same for each remedy of a node, so that it has one at a time.
func remedyName(node string) string {
	const most = 40 // of 63, with the hash, for names of nodes can be longer
	return "remedy-" + strings.ReplaceAll(node[:min(len(node), most)], ".", "-") + "-" + configv1alpha1.Hash([]byte(node))[:8]
}

func remedyPod(settings Settings, remedy Remedy) corev1.PodSpec {
	return corev1.PodSpec{
		NodeName:                      remedy.Node,
		RestartPolicy:                 corev1.RestartPolicyNever,
		HostPID:                       true,
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		ImagePullSecrets:              pullSecretReferences(settings),
		PriorityClassName:             "system-node-critical",
		TerminationGracePeriodSeconds: new(int64(remedyGrace)),
		Tolerations:                   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		Containers:                    []corev1.Container{remedyContainer(settings, remedy)},
		Volumes: []corev1.Volume{{Name: "host", VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: "/", Type: new(corev1.HostPathDirectory)},
		}}},
	}
}

func remedyContainer(settings Settings, remedy Remedy) corev1.Container {
	arguments := []string{"remedy", "--root=" + remedyRoot, "--report-file=" + reportFile, "--certs-directory=" + remedy.CertsDirectory}
	if remedy.Restart {
		arguments = append(arguments, "--restart")
	}
	return corev1.Container{
		Name:            "remedy",
		Image:           settings.Image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Args:            arguments,
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
		}},
		SecurityContext: remedySecurity(),
		VolumeMounts:    []corev1.VolumeMount{{Name: "host", MountPath: remedyRoot}},
	}
}

// remedySecurity is root with two capabilities: to take the node's root for its own, and to read which program and arguments
// containerd runs with. What else confines containers would keep it from the node's files and from systemd.
func remedySecurity() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		RunAsUser:                new(int64(0)),
		RunAsGroup:               new(int64(0)),
		Privileged:               new(false),
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"SYS_CHROOT", "SYS_PTRACE"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		AppArmorProfile:          &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined},
		SELinuxOptions:           &corev1.SELinuxOptions{Type: "spc_t"},
	}
}
