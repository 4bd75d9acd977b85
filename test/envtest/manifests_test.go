package envtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

func applyManifests(ctx context.Context, paths ...string) error {
	for _, path := range paths {
		objects, err := readManifest(path)
		if err != nil {
			return err
		}
		for _, object := range objects {
			if err := k8s.Create(ctx, object); err != nil {
				return err
			}
		}
	}
	return nil
}

// readManifest reads the objects of a file below config/.
func readManifest(path string) ([]*unstructured.Unstructured, error) {
	data, err := os.ReadFile(filepath.Join("..", "..", "config", path))
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &object.Object); err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
}
