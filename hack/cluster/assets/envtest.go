package assets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Envtest makes sure that one folder has kube-apiserver, etcd and kubectl, and returns it: the folder
// is what envtest wants in KUBEBUILDER_ASSETS.
func (s *Store) Envtest(ctx context.Context) (string, error) {
	folder, err := s.Kubernetes(ctx, "kube-apiserver", "kubectl")
	if err != nil {
		return "", err
	}
	etcd, err := s.Etcd(ctx)
	if err != nil {
		return "", err
	}
	return folder, replaceLink(filepath.Join(etcd, "etcd"), filepath.Join(folder, "etcd"))
}

func replaceLink(target, link string) error {
	if current, err := os.Readlink(link); err == nil && current == target {
		return nil
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replacing the link to etcd: %w", err)
	}
	if err := os.Symlink(target, link); err != nil {
		return fmt.Errorf("linking to etcd: %w", err)
	}
	return nil
}
