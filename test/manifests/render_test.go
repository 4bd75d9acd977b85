// Package manifests holds what config/ promises, whoever applies it: it is rendered as kubectl does, by kustomize's own
// library.
package manifests

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// root is the repository's, seen from this package.
const root = "../.."

func TestEveryFolderRenders(t *testing.T) {
	t.Parallel()
	rendered := 0
	err := filepath.WalkDir(filepath.Join(root, "config"), func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(file) != "kustomization.yaml" {
			return err
		}
		rendered++
		folder := filepath.Base(filepath.Dir(file))
		if strings.Contains(read(t, file), "kind: Component") {
			withComponents(t, folder)
			return nil
		}
		render(t, filepath.Join(root, "config", folder))
		return nil
	})
	if err != nil || rendered < 5 {
		t.Errorf("%d folders were rendered: %v", rendered, err)
	}
}

// render is what kubectl apply -k applies.
func render(t *testing.T, folder string) []unstructured.Unstructured {
	t.Helper()
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified
	made, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatalf("rendering %s: %v", folder, err)
	}
	var objects []unstructured.Unstructured
	for _, resource := range made.Resources() {
		content, err := resource.Map()
		if err != nil {
			t.Fatalf("reading %s: %v", resource, err)
		}
		objects = append(objects, unstructured.Unstructured{Object: content})
	}
	return objects
}

// withComponents renders config/default with folders of config/ as components, as an overlay does that a person writes.
func withComponents(t *testing.T, folders ...string) []unstructured.Unstructured {
	t.Helper()
	overlay := types.Kustomization{
		TypeMeta:  types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind},
		Resources: []string{"default"},
	}
	overlay.Components = append(overlay.Components, folders...)
	return renderOverlay(t, overlay)
}

// renderOverlay renders an overlay whose resources and components are folders of config/. Beside it lies the manager's
// configuration.
func renderOverlay(t *testing.T, overlay types.Kustomization) []unstructured.Unstructured {
	t.Helper()
	directory := t.TempDir()
	for _, folders := range [][]string{overlay.Resources, overlay.Components} {
		for i, folder := range folders {
			folders[i] = relative(t, directory, filepath.Join(root, "config", folder))
		}
	}
	content, err := yaml.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"kustomization.yaml":          string(content),
		"operator-configuration.yaml": read(t, filepath.Join(root, "config", "manager", "operator-configuration.yaml")),
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return render(t, directory)
}

// relative: kustomize takes no absolute paths.
func relative(t *testing.T, from, to string) string {
	t.Helper()
	absolute, err := filepath.Abs(to)
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Rel(from, absolute)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// into reads an object into its Go type.
func into(t *testing.T, object unstructured.Unstructured, typed any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		t.Fatalf("reading %s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// only are the objects of some kinds.
func only(objects []unstructured.Unstructured, kinds ...string) []unstructured.Unstructured {
	var found []unstructured.Unstructured
	for _, object := range objects {
		if slices.Contains(kinds, object.GetKind()) {
			found = append(found, object)
		}
	}
	return found
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
