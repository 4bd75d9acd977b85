package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSkopeoPushesAndPulls(t *testing.T) {
	address, home := serve(t), newHome(t)
	dir, digest := image(t)
	run(t, home, "skopeo", "login", "--tls-verify=false", "-u", user, "-p", password, address)
	ref := "docker://" + address + "/team/app:v1"
	run(t, home, "skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "--preserve-digests", "oci:"+dir+":v1", ref)
	if got := strings.TrimSpace(run(t, home, "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", ref)); got != digest {
		t.Errorf("got the digest %s, want %s", got, digest)
	}
	run(t, home, "skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false", ref, "docker://"+address+"/team/copy:v1")
	run(t, home, "skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "docker://"+address+"/team/copy@"+digest, "dir:"+filepath.Join(home, "pulled"))
	if got := run(t, home, "skopeo", "list-tags", "--tls-verify=false", "docker://"+address+"/team/app"); !strings.Contains(got, `"v1"`) {
		t.Errorf("got the tags %s", got)
	}
	run(t, home, "skopeo", "delete", "--tls-verify=false", ref)
	if got := run(t, home, "skopeo", "list-tags", "--tls-verify=false", "docker://"+address+"/team/app"); strings.Contains(got, `"v1"`) {
		t.Errorf("after it was deleted: got the tags %s", got)
	}
}

// storage has podman and buildah keep what they do below a directory, without a kernel's help.
func storage(home string) []string {
	return []string{"--root", filepath.Join(home, "root"), "--runroot", filepath.Join(home, "runroot"), "--storage-driver", "vfs"}
}

func with(home, program string, arguments ...string) []string {
	return append(append([]string{program}, storage(home)...), arguments...)
}

func TestBuildahBuildsAndPushes(t *testing.T) {
	address, home := serve(t), newHome(t)
	must(t, os.WriteFile(filepath.Join(home, "hello"), []byte("hello\n"), 0o600))
	container := strings.TrimSpace(run(t, home, with(home, "buildah", "from", "scratch")...))
	run(t, home, with(home, "buildah", "add", container, filepath.Join(home, "hello"), "/hello")...)
	run(t, home, with(home, "buildah", "commit", container, "built")...)
	run(t, home, with(home, "buildah", "login", "--tls-verify=false", "-u", user, "-p", password, address)...)
	run(t, home, with(home, "buildah", "push", "--tls-verify=false", "built", "docker://"+address+"/team/built:v1")...)
	run(t, home, with(home, "buildah", "rm", container)...)
	run(t, home, with(home, "buildah", "rmi", "--all", "--force")...)
	pulled := strings.TrimSpace(run(t, home, with(home, "buildah", "from", "--quiet", "--tls-verify=false", address+"/team/built:v1")...))
	mounted := strings.TrimSpace(run(t, home, with(home, "buildah", "mount", pulled)...))
	if got, err := os.ReadFile(filepath.Join(mounted, "hello")); err != nil || string(got) != "hello\n" {
		t.Errorf("got %q and error %v", got, err)
	}
	run(t, home, with(home, "buildah", "umount", pulled)...)
	run(t, home, with(home, "buildah", "rm", pulled)...)
}

func TestPodmanPushesAndPulls(t *testing.T) {
	address, home := serve(t), newHome(t)
	must(t, os.WriteFile(filepath.Join(home, "Containerfile"), []byte("FROM scratch\nCOPY Containerfile /file\n"), 0o600))
	run(t, home, with(home, "podman", "build", "-t", "built", home)...)
	run(t, home, with(home, "podman", "login", "--tls-verify=false", "-u", user, "-p", password, address)...)
	for _, format := range []string{"oci", "v2s2"} {
		ref := address + "/team/app:" + format
		run(t, home, with(home, "podman", "push", "--tls-verify=false", "--format", format, "built", ref)...)
		run(t, home, with(home, "podman", "pull", "--tls-verify=false", ref)...)
	}
}

func TestRegctlPushesInChunksAndListsReferrers(t *testing.T) {
	regctl, err := newAssets(t).Regctl(t.Context())
	must(t, err)
	address, home := serve(t), newHome(t)
	dir, digest := image(t)
	run(t, home, regctl, "registry", "login", address, "-u", user, "-p", password, "--skip-check")
	run(t, home, regctl, "registry", "set", address, "--tls", "disabled", "--blob-chunk", "100000", "--blob-max", "200000")
	ref := address + "/team/app:v1"
	run(t, home, regctl, "image", "copy", "ocidir://"+dir+":v1", ref)
	if got := strings.TrimSpace(run(t, home, regctl, "image", "digest", ref)); got != digest {
		t.Errorf("got the digest %s, want %s", got, digest)
	}
	must(t, os.WriteFile(filepath.Join(home, "sbom"), []byte("{}"), 0o600))
	run(t, home, regctl, "artifact", "put", "--artifact-type", "application/vnd.example.sbom", "--file", filepath.Join(home, "sbom"), "--subject", ref)
	if got := run(t, home, regctl, "artifact", "list", ref); !strings.Contains(got, "application/vnd.example.sbom") {
		t.Errorf("got the referrers %s", got)
	}
	run(t, home, regctl, "image", "copy", "--referrers", ref, address+"/team/copy:v1")
	if got := run(t, home, regctl, "artifact", "list", address+"/team/copy:v1"); !strings.Contains(got, "application/vnd.example.sbom") {
		t.Errorf("got the referrers of the copy %s", got)
	}
	if got := strings.Fields(run(t, home, regctl, "tag", "ls", address+"/team/app")); len(got) != 1 || got[0] != "v1" {
		t.Errorf("got the tags %q", got)
	}
	run(t, home, regctl, "tag", "delete", ref)
	if got := run(t, home, regctl, "tag", "ls", address+"/team/app"); strings.TrimSpace(got) != "" {
		t.Errorf("after it was deleted: got the tags %q", got)
	}
}
