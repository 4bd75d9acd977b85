package envtest

import (
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// storageClass makes a StorageClass, which goes when the test ends.
func (w *world) storageClass(name string, grows bool, changes ...func(*storagev1.StorageClass)) *storagev1.StorageClass {
	w.t.Helper()
	class := &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: "driver.example", AllowVolumeExpansion: new(grows),
	}
	for _, change := range changes {
		change(class)
	}
	w.Expect(k8s.Create(w.t.Context(), class)).To(Succeed())
	w.t.Cleanup(func() { w.Expect(client.IgnoreNotFound(k8s.Delete(ctxOf(), class))).To(Succeed()) })
	return class
}

func onClass(name string) func(*v1alpha1.RegistryHub) {
	return func(hub *v1alpha1.RegistryHub) { hub.Spec.Storage.PersistentVolumeClaim.StorageClassName = &name }
}

func retained(hub *v1alpha1.RegistryHub) {
	hub.Spec.Storage.PersistentVolumeClaim.Retention = v1alpha1.VolumeRetain
}

func sized(size string) func(*v1alpha1.RegistryHub) {
	return func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Storage.PersistentVolumeClaim.Size = resource.MustParse(size)
	}
}

// claim is a hub's claim as it is now.
func (w *world) claim(hub string) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{}
	w.Expect(client.IgnoreNotFound(w.child(hub, claim))).To(Succeed())
	return claim
}

// asks is the size that a hub's claim asks for.
func (w *world) asks(hub string) func() string {
	return func() string { return w.claim(hub).Spec.Resources.Requests.Storage().String() }
}

// setClaim plays the controllers of volumes.
func (w *world) setClaim(hub string, set func(*corev1.PersistentVolumeClaimStatus)) {
	w.t.Helper()
	w.Eventually(func() error {
		claim := &corev1.PersistentVolumeClaim{}
		if err := w.child(hub, claim); err != nil {
			return err
		}
		set(&claim.Status)
		return k8s.Status().Update(ctxOf(), claim)
	}).Should(Succeed())
}

// says waits until a hub's StorageReady has these words in its message.
func (w *world) says(hub, words string) {
	w.t.Helper()
	w.Eventually(func() string { return w.message(hub, v1alpha1.ConditionStorageReady) }).Should(ContainSubstring(words))
}

func TestAVolumeGrowsWithTheSpecWhileTheHubServes(t *testing.T) {
	w := begin(t)
	w.storageClass("expandable", true)
	w.create(hubFor("grown", "grown.example", onClass("expandable")))
	w.ready("grown")
	w.change("grown", sized("2Gi"))
	w.Eventually(w.asks("grown")).Should(Equal("2Gi"))
	w.becomes("grown", v1alpha1.ConditionStorageReady, "True/VolumeGrowing")
	w.says("grown", "grows from 1Gi to 2Gi")
	w.becomes("grown", v1alpha1.ConditionReady, "True/Ready")
	w.Eventually(w.told("grown")).Should(ContainElement("Normal/VolumeGrowing"))

	w.setClaim("grown", func(s *corev1.PersistentVolumeClaimStatus) {
		s.Conditions = []corev1.PersistentVolumeClaimCondition{{
			Type: corev1.PersistentVolumeClaimControllerResizeError, Status: corev1.ConditionTrue, Message: "the backend is out of room",
		}}
	})
	w.becomes("grown", v1alpha1.ConditionStorageReady, "False/VolumeGrowthFailed")
	w.says("grown", "the backend is out of room")
	w.becomes("grown", v1alpha1.ConditionReady, "True/Ready")
	w.Expect(w.message("grown", v1alpha1.ConditionReady)).To(ContainSubstring("the backend is out of room"))
	w.Eventually(w.told("grown")).Should(ContainElement("Warning/VolumeGrowthFailed"))

	w.setClaim("grown", func(s *corev1.PersistentVolumeClaimStatus) { s.Conditions = nil })
	w.bindVolume("grown")
	w.becomes("grown", v1alpha1.ConditionStorageReady, "True/VolumeBound")
	w.Expect(w.get("grown").Status.Storage.Capacity.String()).To(Equal("2Gi"))

	claim := &corev1.PersistentVolumeClaim{ObjectMeta: named("hub-grown")}
	w.byHand(claim, func() { claim.Spec.Resources.Requests[corev1.ResourceStorage] = resource.MustParse("3Gi") })
	w.says("grown", "grows from 2Gi to 3Gi")
	w.bindVolume("grown")
	w.says("grown", "asks for 3Gi, more than the spec's 2Gi")
	w.Consistently(w.asks("grown")).Should(Equal("3Gi"), "what a person grew stays")
	w.becomes("grown", v1alpha1.ConditionReady, "True/Ready")
}

func TestAClassThatCannotGrowVolumesHoldsNothingElseUp(t *testing.T) {
	w := begin(t)
	class := w.storageClass("fixed", false)
	w.create(hubFor("fixed", "fixed.example", onClass("fixed")))
	w.ready("fixed")
	w.change("fixed", func(hub *v1alpha1.RegistryHub) {
		sized("2Gi")(hub)
		hub.Spec.Hosts = []v1alpha1.RegistryHost{"fixed.example", "also.example"}
	})
	w.becomes("fixed", v1alpha1.ConditionStorageReady, "False/VolumeCannotGrow")
	w.says("fixed", `its StorageClass "fixed" does not allow it`)
	w.Eventually(w.hosts("fixed")).Should(Equal("also.example fixed.example"), "the rest of the spec is in force")
	w.becomes("fixed", v1alpha1.ConditionReady, "True/Ready")
	w.Expect(w.asks("fixed")()).To(Equal("1Gi"))

	class.AllowVolumeExpansion = new(true)
	w.Expect(k8s.Update(t.Context(), class)).To(Succeed())
	w.Eventually(w.asks("fixed")).Should(Equal("2Gi"))
	w.bindVolume("fixed")
	w.becomes("fixed", v1alpha1.ConditionStorageReady, "True/VolumeBound")
}

func TestAQuotaThatForbidsALargerVolumeHoldsNothingElseUp(t *testing.T) {
	w := begin(t)
	w.storageClass("metered", true)
	w.create(hubFor("metered", "metered.example", onClass("metered")))
	w.ready("metered")
	quota := &corev1.ResourceQuota{ObjectMeta: named("volumes"), Spec: corev1.ResourceQuotaSpec{
		Hard: quantities("metered.storageclass.storage.k8s.io/requests.storage", "1Gi"),
	}}
	w.Expect(k8s.Create(t.Context(), quota)).To(Succeed())
	t.Cleanup(func() { w.Expect(client.IgnoreNotFound(k8s.Delete(ctxOf(), quota))).To(Succeed()) })
	quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: quota.Spec.Hard}
	w.Expect(k8s.Status().Update(t.Context(), quota)).To(Succeed(), "as the controller of quotas would have it")

	w.change("metered", func(hub *v1alpha1.RegistryHub) {
		sized("2Gi")(hub)
		hub.Spec.Hosts = []v1alpha1.RegistryHost{"metered.example", "more.example"}
	})
	w.becomes("metered", v1alpha1.ConditionStorageReady, "False/VolumeGrowthFailed")
	w.says("metered", "exceeded quota")
	w.Eventually(w.hosts("metered")).Should(Equal("metered.example more.example"), "the rest of the spec is in force")
	w.becomes("metered", v1alpha1.ConditionReady, "True/Ready")
}

func TestAVolumeThatIsPendingSaysWhatToDo(t *testing.T) {
	w := begin(t)
	w.create(hubFor("classless", "classless.example"))
	w.becomes("classless", v1alpha1.ConditionStorageReady, "False/NoDefaultStorageClass")
	w.becomes("classless", v1alpha1.ConditionReady, "False/NoDefaultStorageClass")
	w.isKstatus("classless", status.InProgressStatus)
	w.Eventually(w.told("classless")).Should(ContainElement("Warning/NoDefaultStorageClass"))
	w.storageClass("default", true, func(class *storagev1.StorageClass) {
		class.Annotations = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
	})
	w.becomes("classless", v1alpha1.ConditionStorageReady, "False/VolumePending")

	w.create(hubFor("unclassed", "unclassed.example", onClass("later")))
	w.becomes("unclassed", v1alpha1.ConditionReady, "False/StorageClassNotFound")
	w.storageClass("later", true, func(class *storagev1.StorageClass) {
		class.VolumeBindingMode = new(storagev1.VolumeBindingWaitForFirstConsumer)
	})
	w.becomes("unclassed", v1alpha1.ConditionStorageReady, "False/VolumePending")
	w.says("unclassed", "waits for the hub's Pod to be scheduled")
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: named("hub-unclassed")}
	w.byHand(claim, func() {
		claim.Annotations = map[string]string{"volume.kubernetes.io/selected-node": "n1"}
	})
	w.says("unclassed", "waits for the driver driver.example")
	w.ready("unclassed")
}

// TestALostVolumeIsMadeAnewWhenItsClaimIsDeleted goes the whole way that the hub's message shows.
func TestALostVolumeIsMadeAnewWhenItsClaimIsDeleted(t *testing.T) {
	w := begin(t)
	w.create(hubFor("lost", "lost.example"))
	w.ready("lost")
	before := w.claim("lost")
	w.setClaim("lost", func(s *corev1.PersistentVolumeClaimStatus) { s.Phase = corev1.ClaimLost })
	w.becomes("lost", v1alpha1.ConditionStalled, "True/VolumeLost")
	w.isKstatus("lost", status.FailedStatus)
	w.says("lost", "kubectl -n registryhub-system delete pvc hub-lost")

	w.Expect(k8s.Delete(t.Context(), before)).To(Succeed())
	w.becomes("lost", v1alpha1.ConditionStorageReady, "False/VolumeDeleting")
	w.says("lost", "kubectl -n registryhub-system delete pods -l registryhub.io/hub=lost")
	w.becomes("lost", v1alpha1.ConditionReady, "True/Ready")
	w.releaseClaim("lost")
	w.Eventually(func() bool { now := w.claim("lost"); return now.UID != "" && now.UID != before.UID }).Should(BeTrue(), "it is made anew")
	w.bindVolume("lost")
	w.becomes("lost", v1alpha1.ConditionStorageReady, "True/VolumeBound")
	w.becomes("lost", v1alpha1.ConditionReady, "True/Ready")
}

func TestARetainedVolumeStaysAndIsFoundAgain(t *testing.T) {
	w := begin(t)
	hub := w.create(hubFor("retained", "retained.example", sized("2Gi")))
	w.ready("retained")
	before := w.claim("retained").UID
	w.change("retained", retained) // it counts what is said last
	w.deleteHub(hub)
	claim := w.claim("retained")
	w.Expect(claim.UID).To(Equal(before))
	w.Expect(claim.DeletionTimestamp).To(BeNil())

	w.deleteHub(w.create(hubFor("retained", "retained.example", ephemeral)))
	w.Expect(w.claim("retained").DeletionTimestamp).To(BeNil(), "a hub that has no volume takes none away")

	w.create(hubFor("retained", "retained.example"))
	w.becomes("retained", v1alpha1.ConditionStorageReady, "True/VolumeBound")
	w.says("retained", "asks for 2Gi, more than the spec's 1Gi")
	w.Expect(w.claim("retained").UID).To(Equal(before))
}

// deleteHub deletes a hub of which no node was told, and waits until it is gone.
func (w *world) deleteHub(hub *v1alpha1.RegistryHub) {
	w.t.Helper()
	w.Eventually(func() []string { return w.get(hub.Name).Finalizers }).Should(ContainElement(v1alpha1.Finalizer))
	w.Expect(k8s.Delete(w.t.Context(), hub)).To(Succeed())
	w.Eventually(w.gone(hub.Name)).Should(BeTrue())
}

func TestARetainedVolumeThatIsNotWhatTheSpecSaysIsUsedAndSaysSo(t *testing.T) {
	w := begin(t)
	w.storageClass("slow", true)
	w.storageClass("fast", true)
	hub := w.create(hubFor("differing", "differing.example", onClass("slow"), retained))
	w.ready("differing")
	w.deleteHub(hub)

	w.create(hubFor("differing", "differing.example", onClass("fast"), sized("2Gi"), func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Storage.PersistentVolumeClaim.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	}))
	w.becomes("differing", v1alpha1.ConditionStalled, "True/VolumeMismatch")
	w.says("differing", `has the StorageClass "slow" and not "fast", and the access modes [ReadWriteOncePod] and not [ReadWriteOnce]`)
	w.Eventually(w.asks("differing")).Should(Equal("2Gi"), "what can be as the spec says is so")
	w.serve("differing")
	w.becomes("differing", v1alpha1.ConditionProxyAvailable, "True/Available")

	w.Expect(k8s.Delete(t.Context(), w.claim("differing"))).To(Succeed())
	w.releaseClaim("differing")
	w.Eventually(func() string {
		if class := w.claim("differing").Spec.StorageClassName; class != nil {
			return *class
		}
		return ""
	}).Should(Equal("fast"))
	w.bindVolume("differing")
	w.becomes("differing", v1alpha1.ConditionReady, "True/Ready")
}

// TestWhatADriverSaysIsReadFromTheClaimsEvents takes the seconds for which nobody asks.
func TestWhatADriverSaysIsReadFromTheClaimsEvents(t *testing.T) {
	w := begin(t)
	w.storageClass("broken", true)
	w.create(hubFor("unprovided", "unprovided.example", onClass("broken")))
	w.becomes("unprovided", v1alpha1.ConditionStorageReady, "False/VolumePending")
	claim := w.claim("unprovided")
	w.Expect(k8s.Create(t.Context(), &corev1.Event{
		ObjectMeta:     named("hub-unprovided.1"),
		InvolvedObject: corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: namespace, Name: claim.Name, UID: claim.UID},
		Reason:         "ProvisioningFailed", Type: corev1.EventTypeWarning, Message: "no pool has room", LastTimestamp: metav1.Now(),
	})).To(Succeed())
	w.Eventually(w.condition("unprovided", v1alpha1.ConditionStorageReady)).WithTimeout(2 * time.Minute).Should(Equal("False/ProvisioningFailed"))
	w.says("unprovided", "no pool has room")
}

// TestAVolumeGrowsByItselfWhileItsHubLacksRoom: what the spec says stays as it is.
func TestAVolumeGrowsByItselfWhileItsHubLacksRoom(t *testing.T) {
	w := begin(t)
	w.storageClass("elastic", true)
	w.create(hubFor("elastic", "elastic.example", onClass("elastic"), func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Storage.PersistentVolumeClaim.MaxSize = new(resource.MustParse("2.5Gi"))
	}))
	w.proxy("elastic", crowded("990Mi", "1000Mi"))
	w.ready("elastic")
	w.Eventually(w.asks("elastic")).Should(Equal("2Gi"))
	w.becomes("elastic", v1alpha1.ConditionStorageReady, "True/VolumeGrowing")
	w.Eventually(w.told("elastic")).Should(ContainElement("Normal/VolumeGrowing"))
	w.bindVolume("elastic")
	w.says("elastic", "has grown to 2Gi, of at most 2560Mi")
	w.Consistently(w.asks("elastic")).Should(Equal("2Gi"), "it is not ten minutes ago")

	claim := &corev1.PersistentVolumeClaim{ObjectMeta: named("hub-elastic")}
	w.byHand(claim, func() { claim.Annotations[v1alpha1.AnnotationGrownAt] = "2026-01-02T03:04:05Z" })
	w.Eventually(w.asks("elastic")).Should(Equal("2560Mi"), "all that it may")
	w.bindVolume("elastic")
	w.byHand(claim, func() { claim.Annotations[v1alpha1.AnnotationGrownAt] = "2026-01-02T03:04:05Z" })
	w.Consistently(w.asks("elastic")).Should(Equal("2560Mi"))
	spec := w.get("elastic").Spec.Storage.PersistentVolumeClaim
	w.Expect(spec.Size.String()).To(Equal("1Gi"), "the spec is the user's")
	w.becomes("elastic", v1alpha1.ConditionReady, "True/Ready")
}

// crowded has the proxy tell that so much of its store is used.
func crowded(used, capacity string) func(*proxy) {
	is, has := resource.MustParse(used), resource.MustParse(capacity)
	return counting(func() *configv1alpha1.ProxyFigures {
		return &configv1alpha1.ProxyFigures{Store: configv1alpha1.StoreFigures{UsedBytes: is.Value(), CapacityBytes: has.Value()}}
	})
}
