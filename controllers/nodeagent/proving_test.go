package nodeagent

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/cri"
	"github.com/registryhub/registryhub/controllers/nodeagent/probe"
	"github.com/registryhub/registryhub/controllers/nodeagent/proof"
)

// verdicts says of each host what it is told to.
type verdicts struct {
	outcomes map[string]proof.Outcome
	targets  []proof.Target
}

func (v *verdicts) Run(ctx context.Context) { <-ctx.Done() }

func (v *verdicts) Prove(targets []proof.Target) { v.targets = targets }

func (v *verdicts) Outcome(target proof.Target) proof.Outcome { return v.outcomes[target.Host] }

func (v *verdicts) Changed() <-chan struct{} { return nil }

// withCanaries turns them on: of each host nothing is known, unless it is said otherwise.
func (b *bench) withCanaries() *verdicts {
	v := &verdicts{outcomes: map[string]proof.Outcome{}}
	b.keeper.proving = &proving{prover: v, started: func() time.Time { return time.Time{} }, close: func() {}}
	return v
}

func TestAHubIsReportedAsProvenOnceEachOfItsHostsIs(t *testing.T) {
	t.Parallel()
	b := newBench(t, ownNode(nil), ownMirror(), configMap(t, configuration(3, hub("a", "a.example", "b.example"))))
	v := b.withCanaries()
	proven := proof.Outcome{Verdict: proof.Proven}
	failed := proof.Outcome{Verdict: proof.Failed, Failure: proof.Failure{Reason: "ConfigPathUnset", Message: "set it"}}
	steps := []struct {
		what       string
		outcomes   map[string]proof.Outcome
		proven     int64
		exceptions []v1alpha1.NodeException
	}{
		{"nothing is known", nil, 2, nil},
		{"one host is proven", map[string]proof.Outcome{"a.example": proven}, 2, nil},
		{"the other has failed", map[string]proof.Outcome{"a.example": proven, "b.example": failed}, 3,
			[]v1alpha1.NodeException{{Hub: "a", Host: "b.example", Reason: "ConfigPathUnset", Message: "set it"}}},
		{"both are proven", map[string]proof.Outcome{"a.example": proven, "b.example": proven}, 3, nil},
		{"they are proven again", nil, 3, nil},
	}
	for _, step := range steps {
		v.outcomes = step.outcomes
		b.mustPass()
		want := v1alpha1.NodeMirrorStatus{Revision: 3, ProvenRevision: new(step.proven), Exceptions: step.exceptions}
		if diff := cmp.Diff(want, b.status(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: the report (-want +got):\n%s", step.what, diff)
		}
	}
}

func TestWhatWasSaidOfAHostIsSaidUntilItIsProven(t *testing.T) {
	t.Parallel()
	said := []v1alpha1.NodeException{{Hub: "a", Host: "a.example", Reason: v1alpha1.NodeReasonCanaryFailed, Message: "it did not come through"}}
	otherwise := []v1alpha1.NodeException{{Hub: "a", Host: "a.example", Reason: v1alpha1.NodeReasonConfigPathUnset, Message: "set it"}}
	cases := map[string]struct {
		said, want []v1alpha1.NodeException
		now        proof.Outcome
	}{
		"by an agent before this one, which has not tried yet": {said, said, proof.Outcome{}},
		"and not longer": {said, nil, proof.Outcome{Verdict: proof.Proven}},
		"or it fails for another reason": {said, otherwise, proof.Outcome{
			Verdict: proof.Failed, Failure: proof.Failure{Reason: otherwise[0].Reason, Message: otherwise[0].Message},
		}},
		"but not what had nothing to do with a canary": {
			[]v1alpha1.NodeException{{Hub: "a", Host: "a.example", Reason: v1alpha1.NodeReasonForeignHostsFile, Message: "somebody else's"}}, nil, proof.Outcome{},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mirror := ownMirror()
			mirror.Status = v1alpha1.NodeMirrorStatus{Revision: 3, ProvenRevision: new(int64(3)), Exceptions: tc.said}
			b := newBench(t, ownNode(nil), mirror, configMap(t, configuration(3, hub("a", "a.example"))))
			b.withCanaries().outcomes["a.example"] = tc.now
			b.mustPass()
			want := v1alpha1.NodeMirrorStatus{Revision: 3, ProvenRevision: new(int64(3)), Exceptions: tc.want}
			if diff := cmp.Diff(want, b.status(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyWhatIsInForceIsProven(t *testing.T) {
	t.Parallel()
	b := newBench(t, ownNode(nil), ownMirror(), configMap(t, configuration(3, hub("a", "a.example"), hub("dead", "dead.example"))))
	v := b.withCanaries()
	b.hubs.otherwise["dead"] = probe.Health{State: probe.Dead, Seen: true, Missing: time.Now()}
	b.mustPass()
	if len(v.targets) != 1 || v.targets[0].Host != "a.example" || v.targets[0].HubUID != "uid-a" {
		t.Fatalf("targets are %+v", v.targets)
	}
	before := v.targets[0].Wiring
	b.keeper.proving.started = func() time.Time { return time.Unix(1, 0) }
	b.mustPass()
	if v.targets[0].Wiring == before {
		t.Error("the runtime has restarted, and what was proven before still counts")
	}
}

func TestWithoutCanariesNothingIsProven(t *testing.T) {
	t.Parallel()
	b := newBench(t, ownNode(nil), ownMirror(), configMap(t, configuration(3, hub("a", "a.example"))))
	b.withCanaries()
	b.mustPass()
	b.keeper.proving = nil
	b.mustPass()
	if got := b.status(); got.ProvenRevision != nil || got.Revision != 3 {
		t.Errorf("the report is %+v", got)
	}
	turnedOff, err := newProving(Options{}, b.logger())
	if turnedOff != nil || err != nil {
		t.Errorf("newProving: %v, %v", turnedOff, err)
	}
}

// answering is a runtime that says what it is.
type answering struct {
	version cri.Version
	err     error
}

func (a answering) Version(context.Context) (cri.Version, error) { return a.version, a.err }

func TestExplain(t *testing.T) {
	t.Parallel()
	started := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	newest := answering{version: cri.Version{Runtime: "containerd", Version: "v2.4.2"}}
	right := "version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = '/etc/containerd/certs.d'\n"
	cases := map[string]struct {
		runtime answering
		config  string
		want    string
		says    string
		mayPass bool
	}{
		"nothing wrong with the node":         {newest, right, v1alpha1.NodeReasonCanaryFailed, "docker.io is not pulled through its hub, though the runtime's configuration lets it: no such image", true},
		"the default of 2.4, which is a list": {newest, "version = 3\n", v1alpha1.NodeReasonTransferServiceMultiRoot, "Set it to", false},
		"a file that cannot be read":          {newest, "=", v1alpha1.NodeReasonRuntimeUnknown, "line 1", true},
		"a runtime that does not answer":      {answering{err: errors.New("no socket")}, right, v1alpha1.NodeReasonRuntimeUnknown, "no socket", true},
		"another runtime":                     {answering{version: cri.Version{Runtime: "cri-o", Version: "1.33.0"}}, right, v1alpha1.NodeReasonRuntimeUnknown, "cri-o", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := examiner{
				certs: "/etc/containerd/certs.d", layout: configv1alpha1.RuntimeLayoutOf("/etc/containerd/certs.d"), runtime: tc.runtime,
				host: fstest.MapFS{
					"etc/containerd/config.toml":     {Data: []byte(tc.config), ModTime: started.Add(-time.Hour)},
					"run/containerd/containerd.sock": {ModTime: started},
				},
			}
			got := e.explain(t.Context(), proof.Target{Host: "docker.io"}, errors.New("no such image"))
			if got.Reason != tc.want || got.MayPass != tc.mayPass || !strings.Contains(got.Message, tc.says) {
				t.Errorf("got %+v, want %s with %q, which may pass: %t", got, tc.want, tc.says, tc.mayPass)
			}
		})
	}
}
