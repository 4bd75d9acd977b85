package volumes

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/registryhub/registryhub/hack/cluster/kubeapi"
	"github.com/registryhub/registryhub/hack/cluster/pki"
)

func claimOf(uid, node, class, volume string) claim {
	made := claim{}
	made.Metadata = metadata{Name: uid, Namespace: "default", UID: uid, Annotations: map[string]string{selectedNode: node}}
	made.Spec.StorageClassName, made.Spec.VolumeName = class, volume
	return made
}

func volumeOf(name, node, phase, policy string) volume {
	made := volume{}
	made.Metadata = metadata{Name: name, Annotations: map[string]string{provisionedBy: Provisioner, selectedNode: node}}
	made.Status.Phase, made.Spec.ReclaimPolicy = phase, policy
	return made
}

func TestMissingAreUnboundClaimsOfThisNode(t *testing.T) {
	claims := []claim{
		claimOf("wanted", "node-1", StorageClass, ""),
		claimOf("made", "node-1", StorageClass, ""),
		claimOf("bound", "node-1", StorageClass, "pvc-bound"),
		claimOf("elsewhere", "node-2", StorageClass, ""),
		claimOf("foreign", "node-1", "fast", ""),
		claimOf("unscheduled", "", StorageClass, ""),
	}
	var got []string
	for _, claim := range (Node{Name: "node-1"}).missing(claims, []volume{volumeOf("pvc-made", "node-1", "Available", "Delete")}) {
		got = append(got, claim.Metadata.Name)
	}
	if diff := cmp.Diff([]string{"wanted"}, got); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

func TestReleasedAreVolumesOfThisNodeToDelete(t *testing.T) {
	foreign := volumeOf("foreign", "node-1", "Released", "Delete")
	foreign.Metadata.Annotations[provisionedBy] = "another"
	volumes := []volume{
		volumeOf("done", "node-1", "Released", "Delete"),
		volumeOf("kept", "node-1", "Released", "Retain"),
		volumeOf("used", "node-1", "Bound", "Delete"),
		volumeOf("elsewhere", "node-2", "Released", "Delete"),
		foreign,
	}
	var got []string
	for _, volume := range (Node{Name: "node-1"}).released(volumes) {
		got = append(got, volume.Metadata.Name)
	}
	if diff := cmp.Diff([]string{"done"}, got); diff != "" {
		t.Errorf("released (-want +got):\n%s", diff)
	}
}

func TestGrownAreBoundClaimsOfThisNodeThatAskForMore(t *testing.T) {
	ask := func(uid, phase, size, capacity string) claim {
		made := claimOf(uid, "node-1", StorageClass, "pvc-"+uid)
		made.Spec.Resources.Requests = map[string]string{"storage": size}
		made.Status.Phase, made.Status.Capacity = phase, map[string]string{"storage": capacity}
		return made
	}
	claims := []claim{
		ask("more", "Bound", "2Gi", "1Gi"),
		ask("same", "Bound", "1Gi", "1Gi"),
		ask("pending", "Pending", "1Gi", ""),
		ask("elsewhere", "Bound", "2Gi", "1Gi"),
	}
	volumes := []volume{
		volumeOf("pvc-more", "node-1", "Bound", "Delete"), volumeOf("pvc-same", "node-1", "Bound", "Delete"),
		volumeOf("pvc-pending", "node-1", "Available", "Delete"), volumeOf("pvc-elsewhere", "node-2", "Bound", "Delete"),
	}
	var got []string
	for _, claim := range (Node{Name: "node-1"}).grown(claims, volumes) {
		got = append(got, claim.Metadata.Name)
	}
	if diff := cmp.Diff([]string{"more"}, got); diff != "" {
		t.Errorf("grown (-want +got):\n%s", diff)
	}
}

// server is an API server with one claim and one released volume; it records what it is asked to change.
type server struct {
	mu      sync.Mutex
	created []map[string]any
	deleted []string
}

func (s *server) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case request.Method == http.MethodPost:
		var object map[string]any
		_ = json.NewDecoder(request.Body).Decode(&object)
		s.created = append(s.created, object)
	case request.Method == http.MethodDelete:
		s.deleted = append(s.deleted, request.URL.Path)
	case request.URL.Path == "/api/v1/persistentvolumeclaims":
		_, _ = response.Write([]byte(`{"items": [{
			"metadata": {"name": "data", "namespace": "default", "uid": "1", "annotations": {"volume.kubernetes.io/selected-node": "node-1"}},
			"spec": {"storageClassName": "local", "volumeMode": "Filesystem", "accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "1Gi"}}}
		}]}`))
	default:
		_, _ = response.Write([]byte(`{"items": [{
			"metadata": {"name": "pvc-0", "annotations": {"volume.kubernetes.io/selected-node": "node-1", "pv.kubernetes.io/provisioned-by": "registryhub.io/local"}},
			"spec": {"persistentVolumeReclaimPolicy": "Delete"}, "status": {"phase": "Released"}
		}]}`))
	}
}

func client(t *testing.T, handler http.Handler) *kubeapi.Client {
	t.Helper()
	serving := httptest.NewTLSServer(handler)
	t.Cleanup(serving.Close)
	authority, err := pki.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(t.TempDir(), "client")
	if err := authority.Write(base); err != nil {
		t.Fatal(err)
	}
	roots := base + "-roots.pem"
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: serving.Certificate().Raw})
	if err := os.WriteFile(roots, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := kubeapi.New(serving.URL, kubeapi.Credentials{Authority: roots, Certificate: base + ".pem", Key: base + "-key.pem"})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestReconcileMakesAndRemovesVolumes(t *testing.T) {
	asked := &server{}
	node := Node{Name: "node-1", Folder: t.TempDir(), API: client(t, asked), Log: slog.New(slog.DiscardHandler)}
	old := filepath.Join(node.Folder, "pvc-0")
	if err := os.MkdirAll(filepath.Join(old, "blobs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := node.reconcile(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the released volume's folder is still there: %v", err)
	}
	if diff := cmp.Diff([]string{"/api/v1/persistentvolumes/pvc-0"}, asked.deleted); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(node.Folder, "pvc-1"))
	if err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("the new volume's folder is %v, %v, want mode 777", info, err)
	}
	if len(asked.created) != 1 {
		t.Fatalf("%d volumes were created, want 1", len(asked.created))
	}
	spec := asked.created[0]["spec"].(map[string]any)
	want := map[string]any{
		"storageClassName": "local", "volumeMode": "Filesystem", "persistentVolumeReclaimPolicy": "Delete",
		"accessModes": []any{"ReadWriteOncePod"}, "capacity": map[string]any{"storage": "1Gi"},
		"local": map[string]any{"path": filepath.Join(node.Folder, "pvc-1")},
		"claimRef": map[string]any{
			"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "default", "name": "data", "uid": "1",
		},
		"nodeAffinity": map[string]any{"required": map[string]any{"nodeSelectorTerms": []any{map[string]any{
			"matchExpressions": []any{map[string]any{"key": "kubernetes.io/hostname", "operator": "In", "values": []any{"node-1"}}},
		}}}},
	}
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}
