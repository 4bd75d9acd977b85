package manifests

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

var fencedYAML = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// What the documents show can be applied as it is: no field is misspelt or gone.
func TestExamplesOfOurKindsHaveTheFieldsThatThereAre(t *testing.T) {
	t.Parallel()
	seen := 0
	for document, example := range examples(t) {
		var kind struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(example), &kind); err != nil || kind.APIVersion != v1alpha1.GroupVersion.String() {
			continue
		}
		seen++
		var object any = &v1alpha1.RegistryHub{}
		if kind.Kind == "NodeMirror" {
			object = &v1alpha1.NodeMirror{}
		}
		if err := yaml.UnmarshalStrict([]byte(example), object); err != nil {
			t.Errorf("%s shows a %s that is none: %v", document, kind.Kind, err)
		}
	}
	if seen < 6 {
		t.Errorf("found %d examples: the test looks in the wrong place", seen)
	}
}

// The overlays of the documents render, with the folders of config/ where they stand, and have what they say.
func TestExamplesOfOverlaysRender(t *testing.T) {
	t.Parallel()
	rendered := 0
	for document, example := range examples(t) {
		overlay := types.Kustomization{}
		if err := yaml.Unmarshal([]byte(example), &overlay); err != nil || len(overlay.Resources) == 0 {
			continue
		}
		rendered++
		for _, folders := range [][]string{overlay.Resources, overlay.Components} {
			for i := range folders {
				folders[i] = filepath.Base(folders[i])
			}
		}
		for i := range overlay.ConfigMapGenerator {
			overlay.ConfigMapGenerator[i].FileSources = []string{"operator-configuration.yaml"}
		}
		whole := slices.Contains(overlay.Resources, "default")
		managers := only(renderOverlay(t, overlay), "Deployment")
		if !whole {
			continue
		}
		if len(managers) != 1 {
			t.Fatalf("%s shows an overlay with %d Deployments", document, len(managers))
		}
		manager := appsv1.Deployment{}
		into(t, managers[0], &manager)
		for _, replicas := range overlay.Replicas {
			if int64(*manager.Spec.Replicas) != replicas.Count {
				t.Errorf("%s says %d managers, and its overlay has %d", document, replicas.Count, *manager.Spec.Replicas)
			}
		}
	}
	if rendered < 3 {
		t.Errorf("found %d overlays: the test looks in the wrong place", rendered)
	}
}

// examples are the whole objects in YAML of all documents, by document and number.
func examples(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".md" {
			return err
		}
		for i, match := range fencedYAML.FindAllStringSubmatch(read(t, file), -1) {
			found[file+" "+strings.Repeat("I", i+1)] = match[1]
		}
		return nil
	})
	if err != nil {
		t.Fatalf("reading the documents: %v", err)
	}
	return found
}
