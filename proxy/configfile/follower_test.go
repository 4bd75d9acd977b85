package configfile_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/proxy/configfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const never = 24 * time.Hour

// follow gives what the file held at each look.
func follow(t *testing.T, options configfile.Options) (*configfile.Follower, <-chan string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	seen, ended := make(chan string, 1000), make(chan struct{})
	f := configfile.New(options)
	go func() {
		defer close(ended)
		f.Run(ctx, func() {
			content, err := os.ReadFile(options.File)
			if err != nil {
				content = []byte("missing")
			}
			seen <- string(content)
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return f, seen
}

func await(t *testing.T, seen <-chan string, want string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case got := <-seen:
			if got == want {
				return
			}
		case <-deadline:
			t.Fatalf("waited in vain for %q", want)
		}
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mount lays a directory out as the kubelet does, and swaps its links as it does.
func mount(t *testing.T, dir, generation, content string) {
	t.Helper()
	must(t, os.Mkdir(filepath.Join(dir, generation), 0o700))
	write(t, filepath.Join(dir, generation, "config.yaml"), content)
	must(t, os.Symlink(generation, filepath.Join(dir, "..data_tmp")))
	must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAChangeIsSeenWithoutPolling(t *testing.T) {
	t.Parallel()
	changes := map[string]func(t *testing.T, file string){
		"written anew": func(t *testing.T, file string) { t.Helper(); write(t, file, "two") },
		"renamed over": func(t *testing.T, file string) {
			t.Helper()
			write(t, file+".new", "two")
			must(t, os.Rename(file+".new", file))
		},
		"away and back": func(t *testing.T, file string) {
			t.Helper()
			must(t, os.Remove(file))
			write(t, file, "two")
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "config.yaml")
			write(t, file, "one")
			_, seen := follow(t, configfile.Options{File: file, Every: never})
			await(t, seen, "one")
			change(t, file)
			await(t, seen, "two")
		})
	}
}

func TestASwappedConfigMapIsSeenWithoutPolling(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	mount(t, dir, "..1", "one")
	must(t, os.Symlink("..data/config.yaml", file))
	_, seen := follow(t, configfile.Options{File: file, Every: never})
	await(t, seen, "one")
	mount(t, dir, "..2", "two")
	await(t, seen, "two")
	must(t, os.RemoveAll(filepath.Join(dir, "..1")))
	mount(t, dir, "..3", "three")
	await(t, seen, "three")
}

func TestAKickIsALook(t *testing.T) {
	t.Parallel()
	f, seen := follow(t, configfile.Options{File: filepath.Join(t.TempDir(), "config.yaml"), Every: never})
	await(t, seen, "missing")
	f.Kick()
	await(t, seen, "missing")
}

func TestWhatIsNotNotifiedOfIsSeenInTheEnd(t *testing.T) {
	t.Parallel()
	elsewhere, file := filepath.Join(t.TempDir(), "real"), filepath.Join(t.TempDir(), "config.yaml")
	write(t, elsewhere, "one")
	must(t, os.Symlink(elsewhere, file))
	_, seen := follow(t, configfile.Options{File: file, Every: time.Millisecond})
	await(t, seen, "one")
	write(t, elsewhere, "two")
	await(t, seen, "two")
}

func TestAFileInADirectoryThatIsNotThereIsFollowed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "later")
	_, seen := follow(t, configfile.Options{File: filepath.Join(dir, "config.yaml"), Every: time.Millisecond})
	await(t, seen, "missing")
	must(t, os.Mkdir(dir, 0o700))
	write(t, filepath.Join(dir, "config.yaml"), "one")
	await(t, seen, "one")
}
