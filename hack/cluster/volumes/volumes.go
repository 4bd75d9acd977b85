// Package volumes provisions a node's persistent volumes: a folder for each claim whose first pod was
// scheduled to the node. Kubernetes has no provisioner of its own whose volumes a pod that is not root
// could write to: the controller manager's makes hostPath volumes of mode 0750, to which kubelet does
// not apply fsGroup. To local volumes, which these are, it does.
package volumes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/registryhub/registryhub/hack/cluster/kubeapi"
)

// Provisioner is the name that the storage class has for this provisioner.
const Provisioner = "registryhub.io/local"

// The annotations by which the scheduler, the volume controller and provisioners talk.
const (
	selectedNode  = "volume.kubernetes.io/selected-node"
	provisionedBy = "pv.kubernetes.io/provisioned-by"
)

// period is how often a node looks for something to do. Two small lists are cheap on one machine.
const period = 300 * time.Millisecond

// Node provisions the volumes of one node.
type Node struct {
	// Name is the node's name.
	Name string
	// Folder has a folder for each volume.
	Folder string
	// API is the API server.
	API *kubeapi.Client
	// Log receives what is done.
	Log *slog.Logger
}

// Run provisions and removes volumes until ctx ends.
func (n Node) Run(ctx context.Context) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		if err := n.reconcile(ctx); err != nil && ctx.Err() == nil {
			n.Log.Error("Volumes are not as they should be; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (n Node) reconcile(ctx context.Context) error {
	var claims list[claim]
	if err := n.API.Get(ctx, "/api/v1/persistentvolumeclaims", &claims); err != nil {
		return err
	}
	var volumes list[volume]
	if err := n.API.Get(ctx, "/api/v1/persistentvolumes", &volumes); err != nil {
		return err
	}
	var failures []error
	for _, wanted := range n.missing(claims.Items, volumes.Items) {
		failures = append(failures, n.provision(ctx, wanted))
	}
	for _, grown := range n.grown(claims.Items, volumes.Items) {
		failures = append(failures, n.grow(ctx, grown))
	}
	for _, done := range n.released(volumes.Items) {
		failures = append(failures, n.remove(ctx, done))
	}
	return errors.Join(failures...)
}

// missing returns the claims that this node has to make a volume for.
func (n Node) missing(claims []claim, volumes []volume) []claim {
	there := map[string]bool{}
	for _, volume := range volumes {
		there[volume.Metadata.Name] = true
	}
	var wanted []claim
	for _, claim := range claims {
		mine := claim.Metadata.Annotations[selectedNode] == n.Name && claim.Spec.StorageClassName == StorageClass
		if mine && claim.Spec.VolumeName == "" && !there[claim.volumeName()] {
			wanted = append(wanted, claim)
		}
	}
	return wanted
}

// grown returns the claims that ask for more than they have, of a volume of this node.
func (n Node) grown(claims []claim, volumes []volume) []claim {
	mine := map[string]bool{}
	for _, volume := range volumes {
		mine[volume.Metadata.Name] = n.owns(volume)
	}
	var grown []claim
	for _, claim := range claims {
		if mine[claim.volumeName()] && claim.Status.Phase == "Bound" && claim.Status.Capacity["storage"] != claim.size() {
			grown = append(grown, claim)
		}
	}
	return grown
}

// owns says whether this node made a volume.
func (n Node) owns(v volume) bool {
	return v.Metadata.Annotations[provisionedBy] == Provisioner && v.Metadata.Annotations[selectedNode] == n.Name
}

// released returns the volumes that this node has to remove.
func (n Node) released(volumes []volume) []volume {
	var done []volume
	for _, volume := range volumes {
		if n.owns(volume) && volume.Status.Phase == "Released" && volume.Spec.ReclaimPolicy == "Delete" {
			done = append(done, volume)
		}
	}
	return done
}

func (n Node) provision(ctx context.Context, wanted claim) error {
	folder := filepath.Join(n.Folder, wanted.volumeName())
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("making a volume: %w", err)
	}
	// For pods that are not root and have no fsGroup; apart from MkdirAll, whose mode the umask narrows.
	if err := os.Chmod(folder, 0o777); err != nil {
		return fmt.Errorf("making a volume: %w", err)
	}
	if err := n.API.Create(ctx, "/api/v1/persistentvolumes", n.volumeFor(wanted, folder)); err != nil {
		return fmt.Errorf("making the volume of the claim %s/%s: %w", wanted.Metadata.Namespace, wanted.Metadata.Name, err)
	}
	n.Log.Info("Made a volume", "claim", wanted.Metadata.Namespace+"/"+wanted.Metadata.Name, "folder", folder)
	return nil
}

// grow gives a claim what it asks for. A folder has no size, so that this is what is said of it.
func (n Node) grow(ctx context.Context, wanted claim) error {
	capacity := object{"capacity": object{"storage": wanted.size()}}
	at := "/api/v1/persistentvolumes/" + wanted.volumeName()
	if err := n.API.Patch(ctx, at, object{"spec": capacity}); err != nil {
		return fmt.Errorf("growing the volume %s: %w", wanted.volumeName(), err)
	}
	at = "/api/v1/namespaces/" + wanted.Metadata.Namespace + "/persistentvolumeclaims/" + wanted.Metadata.Name + "/status"
	if err := n.API.Patch(ctx, at, object{"status": capacity}); err != nil {
		return fmt.Errorf("growing the claim %s/%s: %w", wanted.Metadata.Namespace, wanted.Metadata.Name, err)
	}
	n.Log.Info("Grew a volume", "claim", wanted.Metadata.Namespace+"/"+wanted.Metadata.Name, "size", wanted.size())
	return nil
}

func (n Node) remove(ctx context.Context, done volume) error {
	if err := os.RemoveAll(filepath.Join(n.Folder, done.Metadata.Name)); err != nil {
		return fmt.Errorf("removing the volume %s: %w", done.Metadata.Name, err)
	}
	if err := n.API.Delete(ctx, "/api/v1/persistentvolumes/"+done.Metadata.Name); err != nil && !errors.Is(err, kubeapi.ErrNotFound) {
		return fmt.Errorf("removing the volume %s: %w", done.Metadata.Name, err)
	}
	n.Log.Info("Removed a volume", "volume", done.Metadata.Name)
	return nil
}
