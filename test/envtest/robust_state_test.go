package envtest

import (
	"encoding/json"
	"regexp"
	"slices"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// What differs between two lives of one hub though nothing is different: names that the API server or chance gives, and times.
var (
	times      = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	uids       = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	addresses  = regexp.MustCompile(`10\.0\.\d+\.\d+|fd00:10::[0-9a-f:]+`)
	hashes     = regexp.MustCompile(`[0-9a-f]{64}`)
	revisions  = regexp.MustCompile(`([rR]evision"?: ?)\d+`)
	scrubbings = []struct {
		found *regexp.Regexp
		by    string
	}{{times, "TIME"}, {uids, "UID"}, {addresses, "ADDRESS"}, {hashes, "HASH"}, {revisions, "${1}0"}}
)

// state is every object that the manager makes or writes to, but for what differs between two lives of a hub, and for what
// the garbage collector would have taken away.
func (w *world) state() map[string]string {
	w.t.Helper()
	var found []client.Object
	there := map[types.UID]bool{}
	for _, list := range []client.ObjectList{
		&corev1.NodeList{}, &v1alpha1.RegistryHubList{}, &v1alpha1.NodeMirrorList{}, &appsv1.DeploymentList{}, &appsv1.DaemonSetList{}, &corev1.ServiceList{},
		&corev1.ConfigMapList{}, &corev1.PersistentVolumeClaimList{}, &corev1.SecretList{},
	} {
		w.Expect(k8s.List(ctxOf(), list, client.InNamespace(namespace))).To(Succeed())
		w.Expect(meta.EachListItem(list, func(item runtime.Object) error {
			object := item.(client.Object)
			found, there[object.GetUID()] = append(found, object), true
			return nil
		})).To(Succeed())
	}
	objects := map[string]string{}
	for _, object := range found {
		if _, isNode := object.(*corev1.Node); isNode || isOrphan(object, there) {
			continue
		}
		kind, err := apiutil.GVKForObject(object, k8s.Scheme())
		w.Expect(err).NotTo(HaveOccurred())
		objects[kind.Kind+" "+object.GetName()] = w.scrubbed(object)
	}
	return objects
}

// isOrphan says whether all that owned an object is gone.
func isOrphan(object client.Object, there map[types.UID]bool) bool {
	owners := object.GetOwnerReferences()
	return len(owners) > 0 && !slices.ContainsFunc(owners, func(owner metav1.OwnerReference) bool { return there[owner.UID] })
}

func (w *world) scrubbed(object client.Object) string {
	object.SetResourceVersion("")
	object.SetManagedFields(nil)
	if secret, isSecret := object.(*corev1.Secret); isSecret {
		for key := range secret.Data {
			secret.Data[key] = nil // keys and certificates are made by chance
		}
	}
	text, err := json.MarshalIndent(object, "", "  ")
	w.Expect(err).NotTo(HaveOccurred())
	for _, scrubbing := range scrubbings {
		text = scrubbing.found.ReplaceAll(text, []byte(scrubbing.by))
	}
	return string(text)
}
