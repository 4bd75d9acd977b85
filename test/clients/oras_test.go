package clients

import (
	"context"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

func TestOrasPushesArtifactsAndFindsReferrers(t *testing.T) {
	ctx := t.Context()
	repository, err := remote.NewRepository(serve(t) + "/team/artifacts")
	must(t, err)
	repository.PlainHTTP = true
	client := &auth.Client{Credential: func(context.Context, string) (auth.Credential, error) {
		return auth.Credential{Username: user, Password: password}, nil
	}}
	repository.Client = client
	source := memory.New()
	layer, err := oras.PushBytes(ctx, source, "application/vnd.example.file", []byte("an artifact"))
	must(t, err)
	subject, err := oras.PackManifest(ctx, source, oras.PackManifestVersion1_1, "application/vnd.example.artifact", oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}})
	must(t, err)
	must(t, source.Tag(ctx, subject, "v1"))
	signature, err := oras.PackManifest(ctx, source, oras.PackManifestVersion1_1, "application/vnd.example.signature", oras.PackManifestOptions{
		Subject: &subject, ManifestAnnotations: map[string]string{"by": "alice"},
	})
	must(t, err)
	must(t, oras.CopyGraph(ctx, source, repository, signature, oras.DefaultCopyGraphOptions))
	if _, err := oras.Copy(ctx, source, "v1", repository, "v1", oras.DefaultCopyOptions); err != nil {
		t.Fatal(err)
	}
	var found []ocispec.Descriptor
	must(t, repository.Referrers(ctx, subject, "application/vnd.example.signature", func(referrers []ocispec.Descriptor) error {
		found = append(found, referrers...)
		return nil
	}))
	if len(found) != 1 || found[0].Digest != signature.Digest || found[0].Annotations["by"] != "alice" {
		t.Errorf("got %v, want the signature", found)
	}
	_, content, err := oras.FetchBytes(ctx, repository, "v1", oras.DefaultFetchBytesOptions)
	must(t, err)
	if len(content) != int(subject.Size) {
		t.Errorf("got a manifest of %d bytes, want %d", len(content), subject.Size)
	}
	must(t, repository.Delete(ctx, signature))
	must(t, repository.Referrers(ctx, subject, "", func(referrers []ocispec.Descriptor) error {
		t.Errorf("after it was deleted: got %v", referrers)
		return nil
	}))
}
