package registryhub

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// onVolume is a healthy hub of 10Gi on a class that can grow volumes and waits for Pods.
func onVolume(changes ...func(*scope)) *scope {
	s := healthy(func(s *scope) {
		s.hub.Spec.Storage.PersistentVolumeClaim = &v1alpha1.PersistentVolumeClaimStorage{
			Size: resource.MustParse("10Gi"), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod},
		}
		s.claim = &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: "hubs", Name: "hub-a", CreationTimestamp: metav1.NewTime(now)},
			Spec: corev1.PersistentVolumeClaimSpec{
				StorageClassName: new("fast"), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod},
			},
			Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound},
		}
		s.volume.classes = []storagev1.StorageClass{{
			ObjectMeta: metav1.ObjectMeta{Name: "fast"}, Provisioner: "fast.example", AllowVolumeExpansion: new(true),
			VolumeBindingMode: new(storagev1.VolumeBindingWaitForFirstConsumer),
		}}
		sized("10Gi", "10Gi", "10Gi")(s)
	})
	for _, change := range changes {
		change(s)
	}
	return s
}

// sized is a claim that asks for something and has something, where something is wanted.
func sized(wanted, asks, has string) func(*scope) {
	return func(s *scope) {
		s.volume.wanted = resource.MustParse(wanted)
		s.claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(asks)}
		s.claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(has)}
	}
}

func defaultClass(s *scope) {
	s.volume.classes = []storagev1.StorageClass{{ObjectMeta: metav1.ObjectMeta{
		Name: "fast", Annotations: map[string]string{annotationDefaultClass: "true"},
	}}}
}

func pending(s *scope) {
	s.claim.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}
}
func classless(s *scope) { s.claim.Spec.StorageClassName = nil }
func noClasses(s *scope) { s.volume.classes = nil }
func fixedSize(s *scope) { s.volume.classes[0].AllowVolumeExpansion = nil }
func immediate(s *scope) { s.volume.classes[0].VolumeBindingMode = nil }
func noPod(s *scope)     { s.deployment = nil }
func claimGoes(s *scope) { s.claim.DeletionTimestamp = new(metav1.NewTime(now)) }
func diskFull(s *scope)  { s.reports[0].Store.Full = true }
func otherClass(s *scope) {
	s.hub.Spec.Storage.PersistentVolumeClaim.StorageClassName = new("slow")
}

func otherModes(s *scope) {
	s.claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
}

func waited(d time.Duration) func(*scope) {
	return func(s *scope) { s.claim.CreationTimestamp = metav1.NewTime(now.Add(-d)) }
}

func failedBy(words string) func(*scope)   { return func(s *scope) { s.volume.failure = words } }
func refusedFor(words string) func(*scope) { return func(s *scope) { s.volume.refusal = words } }

func resizing(kind corev1.PersistentVolumeClaimConditionType, words string) func(*scope) {
	return func(s *scope) {
		s.claim.Status.Conditions = append(s.claim.Status.Conditions, corev1.PersistentVolumeClaimCondition{
			Type: kind, Status: corev1.ConditionTrue, Message: words,
		})
	}
}

func infeasible(s *scope) {
	s.claim.Status.AllocatedResourceStatuses = map[corev1.ResourceName]corev1.ClaimResourceStatus{
		corev1.ResourceStorage: corev1.PersistentVolumeClaimControllerResizeInfeasible,
	}
}

func TestWhatIsSaidOfAVolume(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		scope *scope
		want  string // what StorageReady says
		words string // what its message has in it
	}{
		"bound": {onVolume(), "True/VolumeBound", "hub-a is bound"},
		"lost":  {onVolume(claimPhase(corev1.ClaimLost)), "False/VolumeLost", "kubectl -n hubs delete pvc hub-a"},
		"going": {onVolume(claimGoes), "False/VolumeDeleting", "kubectl -n hubs delete pods -l registryhub.io/hub=a"},

		"pending, with no class and no default":          {onVolume(pending, classless), "False/NoDefaultStorageClass", "is-default-class=true"},
		"pending, with no class, and there is a default": {onVolume(pending, classless, defaultClass), "False/VolumePending", "has no StorageClass yet"},
		"pending, and its class does not exist":          {onVolume(pending, noClasses), "False/StorageClassNotFound", `StorageClass "fast" does not exist`},
		"pending, for a Pod":                             {onVolume(pending, noPod), "False/VolumePending", "describe pods -l registryhub.io/hub=a"},
		"pending, and a Pod has an earlier volume":       {onVolume(pending), "False/VolumePending", "delete pods -l registryhub.io/hub=a"},
		"pending, for its driver":                        {onVolume(pending, immediate), "False/VolumePending", "waits for the driver fast.example"},
		"pending, for its driver, for long":              {onVolume(pending, immediate, waited(6*time.Minute)), "False/VolumePending", "does it run?"},
		"its driver fails":                               {onVolume(pending, failedBy("no room")), "False/ProvisioningFailed", `"fast" could not make the volume, and tries again; no room`},
		"its driver failed, and then made it":            {onVolume(failedBy("no room")), "True/VolumeBound", "is bound"},
		"pending, and larger ones are wanted meanwhile":  {onVolume(sized("20Gi", "10Gi", "10Gi"), pending, immediate), "False/VolumePending", "waits for the driver"},

		"it grows":                         {onVolume(sized("20Gi", "20Gi", "10Gi")), "True/VolumeGrowing", "grows from 10Gi to 20Gi"},
		"it grows, and waits for the node": {onVolume(sized("20Gi", "20Gi", "10Gi"), resizing(corev1.PersistentVolumeClaimFileSystemResizePending, "x")), "True/VolumeGrowing", "the node of the hub's Pod"},
		"it grew":                          {onVolume(sized("20Gi", "20Gi", "20Gi"), func(s *scope) { s.hub.Spec.Storage.PersistentVolumeClaim.Size = resource.MustParse("20Gi") }), "True/VolumeBound", "hub-a is bound"},
		"its driver fails to make it larger": {
			onVolume(sized("20Gi", "20Gi", "10Gi"), resizing(corev1.PersistentVolumeClaimResizing, "x"), resizing(corev1.PersistentVolumeClaimControllerResizeError, "out of\nquota")),
			"False/VolumeGrowthFailed", "keeps 10Gi, and does not grow to 20Gi: it is tried again; out of; quota",
		},
		"its node fails to make it larger": {onVolume(sized("20Gi", "20Gi", "10Gi"), resizing(corev1.PersistentVolumeClaimNodeResizeError, "broken")), "False/VolumeGrowthFailed", "; broken"},
		"it can never be so large":         {onVolume(sized("20Gi", "20Gi", "10Gi"), infeasible), "False/VolumeGrowthFailed", "does not grow to 20Gi"},
		"a failure of before":              {onVolume(resizing(corev1.PersistentVolumeClaimNodeResizeError, "broken")), "True/VolumeBound", "is bound"},
		"the API server refuses":           {onVolume(sized("20Gi", "10Gi", "10Gi"), refusedFor("exceeded quota")), "False/VolumeGrowthFailed", "keeps 10Gi, and 20Gi are refused; exceeded quota"},
		"its class cannot grow":            {onVolume(sized("20Gi", "10Gi", "10Gi"), fixedSize), "False/VolumeCannotGrow", `keeps 10Gi, and cannot grow to 20Gi: its StorageClass "fast" does not allow it`},
		"its class is gone":                {onVolume(sized("20Gi", "10Gi", "10Gi"), noClasses), "False/VolumeCannotGrow", `StorageClass "fast" does not exist any more`},
		"it has no class":                  {onVolume(sized("20Gi", "10Gi", "10Gi"), classless), "False/VolumeCannotGrow", "it has no StorageClass"},
		"its class cannot grow, nor need":  {onVolume(fixedSize), "True/VolumeBound", "is bound"},
		"larger than the spec says":        {onVolume(sized("30Gi", "30Gi", "30Gi")), "True/VolumeBound", "30Gi, more than the spec's 10Gi: volumes do not shrink"},

		"of another class":                {onVolume(otherClass), "False/VolumeMismatch", `the StorageClass "fast" and not "slow"`},
		"of other access modes":           {onVolume(otherModes), "False/VolumeMismatch", "the access modes [ReadWriteOnce] and not [ReadWriteOncePod]"},
		"full, and its class cannot grow": {onVolume(sized("20Gi", "10Gi", "10Gi"), fixedSize, diskFull), "False/VolumeFull", "does not allow it"},
		"full, and it grows":              {onVolume(sized("20Gi", "20Gi", "10Gi"), diskFull), "False/VolumeFull", "grows from 10Gi to 20Gi"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tellsOfStorage(t, tc.scope, tc.want, tc.words)
		})
	}
}

// tellsOfStorage holds what StorageReady is, and words of its message.
func tellsOfStorage(t *testing.T, s *scope, want, words string) {
	t.Helper()
	got := storageReady(s)
	if diff := cmp.Diff(want, string(got.Status)+"/"+got.Reason); diff != "" {
		t.Errorf("StorageReady (-want +got):\n%s\n%s", diff, got.Message)
	}
	if !strings.Contains(got.Message, words) {
		t.Errorf("no %q in %q", words, got.Message)
	}
}

func TestWhatAVolumeMeansForTheHub(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		scope *scope
		want  string
	}{
		"it grows":                        {onVolume(sized("20Gi", "20Gi", "10Gi")), "Ready=True/Ready StorageReady=True/VolumeGrowing"},
		"it cannot grow":                  {onVolume(sized("20Gi", "10Gi", "10Gi"), fixedSize), "Ready=True/Ready StorageReady=False/VolumeCannotGrow"},
		"it fails to grow":                {onVolume(sized("20Gi", "20Gi", "10Gi"), infeasible), "Ready=True/Ready StorageReady=False/VolumeGrowthFailed"},
		"it goes":                         {onVolume(claimGoes), "Ready=True/Ready StorageReady=False/VolumeDeleting"},
		"it is another one than the spec": {onVolume(otherClass), "Ready=False/VolumeMismatch Stalled=True/VolumeMismatch StorageReady=False/VolumeMismatch"},
		"there is no class": {
			onVolume(pending, noClasses),
			"Ready=False/StorageClassNotFound Reconciling=True/Progressing StorageReady=False/StorageClassNotFound",
		},
		"there is no default class": {
			onVolume(pending, noClasses, classless),
			"Ready=False/NoDefaultStorageClass Reconciling=True/Progressing StorageReady=False/NoDefaultStorageClass",
		},
		"its driver fails": {
			onVolume(pending, failedBy("no room")),
			"Ready=False/ProvisioningFailed Reconciling=True/Progressing StorageReady=False/ProvisioningFailed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const others = " CertificateReady=True/PlainHTTP ProxyAvailable=True/Available NodesWired=True/NodesWired"
			if diff := cmp.Diff(tc.want+others, shown(nextStatus(tc.scope).Conditions)); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheNumbersInADriversWordsAreNoNews(t *testing.T) {
	t.Parallel()
	s := onVolume(pending, failedBy("rpc error: no room, request 5f3a-11"))
	s.hub.Status = nextStatus(s)
	for words, news := range map[string]bool{
		"rpc error: no room, request 77ee-92":       false,
		"rpc error: no permission, request 77ee-92": true,
	} {
		s.volume.failure = words
		if got := !sameStatus(s.hub.Status, nextStatus(s)); got != news {
			t.Errorf("%q is news: %v, want %v", words, got, news)
		}
	}
}

func TestMayGrow(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		scope *scope
		want  bool
	}{
		"more is wanted":                         {onVolume(sized("20Gi", "10Gi", "10Gi")), true},
		"no more is wanted":                      {onVolume(sized("20Gi", "20Gi", "10Gi")), false},
		"its class does not allow it":            {onVolume(sized("20Gi", "10Gi", "10Gi"), fixedSize), false},
		"there is no volume yet":                 {onVolume(sized("20Gi", "10Gi", "10Gi"), claimPhase(corev1.ClaimPending)), false},
		"the claim goes":                         {onVolume(sized("20Gi", "10Gi", "10Gi"), claimGoes), false},
		"it still grows, and more yet is wanted": {onVolume(sized("30Gi", "20Gi", "10Gi")), true},
	} {
		if got := mayGrow(tc.scope); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestTheLatestEventCounts(t *testing.T) {
	t.Parallel()
	at := func(minutes int) metav1.Time { return metav1.NewTime(now.Add(time.Duration(minutes) * time.Minute)) }
	micro := func(minutes int) metav1.MicroTime { return metav1.NewMicroTime(at(minutes).Time) }
	for name, tc := range map[string]struct {
		events []corev1.Event
		want   string
	}{
		"none":             {nil, ""},
		"of the old kind":  {[]corev1.Event{{Message: "b", LastTimestamp: at(2)}, {Message: "a", LastTimestamp: at(1)}}, "b"},
		"of the new kind":  {[]corev1.Event{{Message: "a", LastTimestamp: at(1)}, {Message: "b", EventTime: micro(2)}}, "b"},
		"told repeatedly":  {[]corev1.Event{{Message: "b", EventTime: micro(1), Series: &corev1.EventSeries{LastObservedTime: micro(3)}}, {Message: "a", EventTime: micro(2)}}, "b"},
		"on several lines": {[]corev1.Event{{Message: "a\nb"}}, "a; b"},
		"very long":        {[]corev1.Event{{Message: strings.Repeat("é", 1000)}}, strings.Repeat("é", maxTheirs/2)},
	} {
		if diff := cmp.Diff(tc.want, latest(tc.events)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTroubleWithStorageSaysWhatIsRefused(t *testing.T) {
	t.Parallel()
	for reason, want := range troubles {
		mirror, registry := healthy(), healthy()
		registry.hub.Spec.Mode = v1alpha1.HubModeLocal
		got := trouble{mirror.inTrouble(reason).Message, registry.inTrouble(reason).Message}
		if got != want || got.mirror == got.registry {
			t.Errorf("%s: got %+v", reason, got)
		}
	}
	full := healthy(diskFull)
	full.hub.Spec.Mode = v1alpha1.HubModeLocal
	if said := storageReady(full); said.Reason != v1alpha1.ReasonVolumeFull || !strings.Contains(said.Message, "pushes are refused") {
		t.Errorf("a full registry says %+v", said)
	}
}

func TestAVolumeThatAnEarlierHubLeftIsNotDeletedWithAHubWithoutOne(t *testing.T) {
	t.Parallel()
	volume := func(retention v1alpha1.VolumeRetention) v1alpha1.StorageSpec {
		return v1alpha1.StorageSpec{PersistentVolumeClaim: &v1alpha1.PersistentVolumeClaimStorage{Retention: retention}}
	}
	for name, tc := range map[string]struct {
		mode    v1alpha1.HubMode
		storage v1alpha1.StorageSpec
		want    bool
	}{
		"a mirror's volume to delete":              {v1alpha1.HubModeMirror, volume(v1alpha1.VolumeDelete), false},
		"a mirror's volume to retain":              {v1alpha1.HubModeMirror, volume(v1alpha1.VolumeRetain), true},
		"a mirror's volume of which nobody said":   {v1alpha1.HubModeMirror, volume(""), false},
		"a registry's volume to delete":            {v1alpha1.HubModeLocal, volume(v1alpha1.VolumeDelete), false},
		"a registry's volume of which nobody said": {v1alpha1.HubModeLocal, volume(""), true},
		"no volume": {v1alpha1.HubModeMirror, v1alpha1.StorageSpec{Type: v1alpha1.StorageEphemeral}, true},
	} {
		hub := &v1alpha1.RegistryHub{Spec: v1alpha1.RegistryHubSpec{Mode: tc.mode, Storage: tc.storage}}
		if got := keepsVolume(hub); got != tc.want {
			t.Errorf("%s: kept %v, want %v", name, got, tc.want)
		}
	}
}
