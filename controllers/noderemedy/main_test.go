package noderemedy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/controllers/nodeagent/cri"
	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	certs  = "/etc/containerd/certs.d"
	images = `[plugins."io.containerd.cri.v1.images".registry]` + "\n"
	list   = "version = 3\n" + images + "config_path = '/etc/containerd/certs.d:/nowhere'\n"
	mended = "config_path = \"/etc/containerd/certs.d\""
)

var release = runtime.Release{Major: 2, Minor: 4}

// machine is a node: its files, and a containerd whose configuration is what our own reader makes of them. That real ones make
// the same of it is held by test/oracles.
type machine struct {
	t      *testing.T
	folder string
	// dumps counts how often a configuration was loaded; refuses is a number at which that fails.
	dumps, refuses int
	// restarts are what was loaded at each start; broken refuses to start with a mended configuration.
	restarts []string
	broken   bool
	// drifts has a mended configuration differ in more.
	drifts bool
	// name is the runtime's.
	name string
}

func newMachine(t *testing.T, files map[string]string) *machine {
	t.Helper()
	m := &machine{t: t, folder: t.TempDir(), name: "containerd"}
	for name, text := range files {
		name = filepath.Join(m.folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *machine) main() string { return filepath.Join(m.folder, "config.toml") }

// remedy is one of a node whose containerd started after its files were written.
func (m *machine) remedy() *Remedy {
	r := New(m.main(), certs)
	r.Started = time.Now().Add(time.Hour)
	r.Runtime, r.Containerd, r.Service = m, m, m
	return r
}

func (m *machine) Version(context.Context) (cri.Version, error) {
	return cri.Version{Runtime: m.name, Version: "v2.4.2"}, nil
}

func (m *machine) Ready(context.Context) error { return nil }

func (m *machine) Restart(context.Context) error {
	path := m.configPath(m.main())
	m.restarts = append(m.restarts, path)
	if m.broken && path == certs {
		return errors.New("exit status 1")
	}
	return nil
}

func (m *machine) Dump(_ context.Context, file string) ([]byte, error) {
	if m.dumps++; m.dumps == m.refuses {
		return nil, errors.New("exit status 1")
	}
	path, root := m.configPath(file), "/var/lib/containerd"
	if m.drifts && path == certs {
		root = "/elsewhere"
	}
	return fmt.Appendf(nil, "version = 4\nimports = ['%s']\nroot = '%s'\n%sconfig_path = %q\n", file, root, images, path), nil
}

func (m *machine) configPath(file string) string {
	m.t.Helper()
	config, err := runtime.Read(os.DirFS("/"), []string{file}, release)
	if err != nil {
		m.t.Fatalf("containerd would not load it: %v", err)
	}
	return config.ConfigPath
}

// files are all there are, by their names in the folder.
func (m *machine) files() map[string]string {
	m.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(m.folder, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		inside, _ := filepath.Rel(m.folder, name)
		all[inside] = string(content)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return all
}
