package assets

import (
	"context"
	"path/filepath"
	"runtime"

	"github.com/registryhub/registryhub/hack/image/scratch"
)

// Image builds the program of this repository at folder, packs it into an image and returns its
// archive.
func (s *Store) Image(ctx context.Context, folder, tag string) (string, error) {
	binary, err := s.Program(ctx, folder)
	if err != nil {
		return "", err
	}
	name := "/" + filepath.Base(folder)
	archive := filepath.Join(s.Cache, "programs", name+".tar")
	spec := scratch.Spec{Binary: binary, Path: name, User: scratch.NonRoot, Architecture: runtime.GOARCH}
	if _, err := scratch.WriteFile(spec, tag, archive); err != nil {
		return "", err
	}
	return archive, nil
}
