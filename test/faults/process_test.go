package faults

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// process is a running proxy.
type process struct {
	// address of the registry API.
	address string
	cmd     *exec.Cmd
	log     string
	exited  chan struct{}
}

// configuration of a proxy of hosts over a store.
func configuration(directory string, revalidateAfter time.Duration, hosts ...config.MirrorHost) *config.ProxyConfiguration {
	return &config.ProxyConfiguration{
		Hub:    "faults",
		Listen: config.ListenConfiguration{Registry: "127.0.0.1:0", Diagnostics: "127.0.0.1:0"},
		Store:  config.StoreConfiguration{Directory: directory},
		Mirror: &config.MirrorConfiguration{
			Hosts: hosts,
			Tags:  config.TagsConfiguration{RevalidateAfter: &metav1.Duration{Duration: revalidateAfter}},
		},
	}
}

// start runs a proxy until the test ends. It serves when start returns.
func start(t *testing.T, cfg *config.ProxyConfiguration) *process {
	t.Helper()
	data, err := config.Encode(cfg)
	must(t, err)
	folder := t.TempDir()
	file := filepath.Join(folder, "proxy.yaml")
	must(t, os.WriteFile(file, data, 0o600))
	p := &process{log: filepath.Join(folder, "log"), exited: make(chan struct{})}
	log, err := os.Create(p.log)
	must(t, err)
	p.cmd = exec.Command(program, "proxy", "--config", file)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, p.cmd.Start())
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // how it ended is asked of ProcessState
		_ = log.Close()
	}()
	t.Cleanup(func() { p.stop(t) })
	p.awaitAddress(t)
	return p
}

// awaitAddress reads in the log where the proxy listens.
func (p *process) awaitAddress(t *testing.T) {
	t.Helper()
	deadline, again := time.After(patience), time.NewTicker(2*time.Millisecond)
	defer again.Stop()
	for p.address = p.loggedAddress(); p.address == ""; p.address = p.loggedAddress() {
		select {
		case <-again.C:
		case <-p.exited:
			t.Fatalf("the proxy ended (%s):\n%s", p.cmd.ProcessState, p.logged())
		case <-deadline:
			t.Fatalf("the proxy does not serve after %s:\n%s", patience, p.logged())
		}
	}
}

func (p *process) loggedAddress() string {
	lines := bufio.NewScanner(bytes.NewReader(p.logged()))
	for lines.Scan() {
		var line struct{ Msg, Registry string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "proxy serves" {
			return line.Registry
		}
	}
	return ""
}

func (p *process) logged() []byte {
	data, _ := os.ReadFile(p.log) // nothing logged yet is nothing
	return data
}

// kill is a power cut for the process.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // ended already is as good
	<-p.exited
}

// stop ends the proxy, unless it was killed, and looks at how it did.
func (p *process) stop(t *testing.T) {
	t.Helper()
	select {
	case <-p.exited:
		p.check(t, "signal: killed")
		return
	default:
	}
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.exited:
		p.check(t, "exit status 0")
	case <-time.After(patience):
		p.kill()
		t.Errorf("the proxy did not end after SIGTERM:\n%s", tail(p.logged()))
	}
}

// check fails the test when the proxy ended in another way than it should, or had a data race or a panic.
func (p *process) check(t *testing.T, want string) {
	t.Helper()
	if got := fmt.Sprint(p.cmd.ProcessState); got != want {
		t.Errorf("the proxy ended with %s, want %s:\n%s", got, want, tail(p.logged()))
	}
	for _, sign := range []string{"DATA RACE", "panic: ", "http: panic serving"} {
		if at := bytes.Index(p.logged(), []byte(sign)); at >= 0 {
			t.Errorf("the proxy logged a %s:\n%s", sign, p.logged()[max(0, at-500):min(len(p.logged()), at+5000)])
		}
	}
}

func tail(log []byte) []byte { return log[max(0, len(log)-4000):] }
