package nodeagent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/probe"
)

// began is when these tests did: what they say of hubs is counted from it.
var began = time.Now()

func unknownSince(ago time.Duration) probe.Health {
	return probe.Health{State: probe.Unknown, Missing: began.Add(-ago)}
}

func deadSince(ago time.Duration, seen bool) probe.Health {
	return probe.Health{State: probe.Dead, Missing: began.Add(-ago), Seen: seen, Cause: "connection refused"}
}

func staying(hub configv1alpha1.NodeHub) configv1alpha1.NodeHub {
	hub.Fallback = configv1alpha1.NodeFallbackNone
	return hub
}

func TestOnlyHubsThatAnswerAreWritten(t *testing.T) {
	t.Parallel()
	for sentence, tc := range map[string]struct {
		hub  configv1alpha1.NodeHub
		said probe.Health
		want []string
	}{
		"one that answers":                         {hub("a", "x.io"), probe.Health{State: probe.Alive, Seen: true}, []string{"x.io"}},
		"one of which nothing is known":            {hub("a", "x.io"), unknownSince(0), []string{}},
		"one that never answered":                  {hub("a", "x.io"), deadSince(0, false), []string{}},
		"one that stays, and answers not":          {staying(hub("a", "x.io")), deadSince(0, false), []string{".registryhub#hosts", "x.io"}},
		"one that stays, and is not known":         {staying(hub("a", "x.io")), unknownSince(0), []string{".registryhub#hosts", "x.io"}},
		"one that answered, and does not any more": {hub("a", "x.io"), deadSince(0, true), []string{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, configMap(t, configuration(5, tc.hub)), ownNode(nil), ownMirror())
			b.hubs.otherwise["a"] = tc.said
			b.mustPass()
			if got := b.hosts(); !cmp.Equal(got, tc.want) {
				t.Errorf("hosts %q, want %q", got, tc.want)
			}
		})
	}
}

func TestADeadHubIsWithdrawnAndComesBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, hub("a", "x.io"), hub("b", "y.io"))), ownNode(nil), ownMirror())
	b.mustPass()
	b.hubs.otherwise["a"] = deadSince(0, true)
	b.mustPass()
	if got := b.hosts(); !cmp.Equal(got, []string{"y.io"}) {
		t.Errorf("hosts %q while one hub is dead", got)
	}
	delete(b.hubs.otherwise, "a")
	b.mustPass()
	if got := b.hosts(); !cmp.Equal(got, []string{"x.io", "y.io"}) {
		t.Errorf("hosts %q when it is back", got)
	}
	if b.patches != 1 {
		t.Errorf("%d reports of what lasted for moments, want only the first", b.patches)
	}
}

func TestAHubThatStaysHasNoOtherServer(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, staying(hub("a", "x.io")))), ownNode(nil), ownMirror())
	b.mustPass()
	data, err := os.ReadFile(filepath.Join(b.certs, "x.io", "hosts.toml"))
	if err != nil || !strings.Contains(string(data), "\nserver = \"http://10.96.31.7:5000\"\n") {
		t.Errorf("hosts.toml: %v\n%s", err, data)
	}
}

// TestWhatIsKeptUntilItIsKnown: the agent has just started, and has asked nobody yet.
func TestWhatIsKeptUntilItIsKnown(t *testing.T) {
	t.Parallel()
	moved := hub("a", "x.io")
	moved.Endpoint, moved.Revision = "http://10.96.0.9:5000", 6
	for sentence, tc := range map[string]struct {
		before, now configv1alpha1.NodeHub
		spoil       func(t *testing.T, b *bench)
		want        bool
	}{
		"what was written":                     {hub("a", "x.io"), hub("a", "x.io"), nil, true},
		"what leads to its endpoint of before": {hub("a", "x.io"), moved, nil, true},
		"not what leads to another hub":        {hub("a", "x.io"), hub("b", "x.io"), nil, false},
		"not what a person made of it":         {hub("a", "x.io"), hub("a", "x.io"), edit, false},
		"not what a reboot emptied":            {hub("a", "x.io"), hub("a", "x.io"), reboot, false},
		"not a host that the hub lost":         {hub("a", "x.io"), hub("a", "y.io"), nil, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, configMap(t, configuration(5, tc.before)), ownNode(nil), ownMirror())
			b.mustPass()
			written := b.file("x.io")
			b.configure(configuration(6, tc.now))
			if tc.spoil != nil {
				tc.spoil(t, b)
			}
			b.restart()
			b.hubs.otherwise[tc.now.Name] = unknownSince(0)
			b.mustPass()
			if got := b.file("x.io"); (got == written) != tc.want || !tc.want && got != "" {
				t.Errorf("there is %q", got)
			}
		})
	}
}

func (b *bench) file(host string) string {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.certs, host, "hosts.toml"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Fatal(err)
	}
	return string(data)
}

func edit(t *testing.T, b *bench) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.certs, "x.io", "hosts.toml"), []byte("server = \"https://x.io\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func reboot(t *testing.T, b *bench) {
	t.Helper()
	if err := os.RemoveAll(b.run); err != nil {
		t.Fatal(err)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	const young, old = 7, 3
	said := v1alpha1.NodeException{Hub: "a", Host: "x.io", Reason: v1alpha1.NodeReasonHubUnreachable, Message: "said before"}
	for sentence, tc := range map[string]struct {
		revision int64 // of the hub's entry, in revision 9
		health   probe.Health
		previous v1alpha1.NodeMirrorStatus
		failed   error
		want     int64
		reasons  string
	}{
		"a hub that answers":                          {young, probe.Health{State: probe.Alive}, reported(5), nil, 9, ""},
		"a new hub that has not answered":             {young, unknownSince(time.Second), reported(5), nil, 6, ""},
		"a new hub that does not answer":              {young, deadSince(59*time.Second, false), reported(5), nil, 6, ""},
		"a new hub that has not answered for long":    {young, deadSince(time.Minute, false), reported(5), nil, 9, "HubUnreachable"},
		"a hub that just died":                        {young, deadSince(59*time.Second, true), reported(9), nil, 9, ""},
		"a hub that just died, since its last change": {young, deadSince(59*time.Second, true), reported(5), nil, 9, ""},
		"a hub that has been dead for long":           {young, deadSince(time.Minute, true), reported(9), nil, 9, "HubUnreachable"},
		"a hub that was in force at a restart":        {young, unknownSince(0), reported(9), nil, 9, ""},
		"another has changed since":                   {old, unknownSince(0), reported(5), nil, 5, ""},
		"what was said is not taken back at a start":  {young, unknownSince(0), reported(9, said), nil, 9, "HubUnreachable"},
		"nor while it is dead":                        {young, deadSince(0, false), reported(9, said), nil, 9, "HubUnreachable"},
		"but when it answers":                         {young, probe.Health{State: probe.Alive}, reported(9, said), nil, 9, ""},
		"a configuration that was set back":           {young, unknownSince(0), reported(99), nil, 6, ""},
		"one reason is enough for a host":             {young, deadSince(time.Minute, true), reported(9), errors.New("disk full"), 9, "WriteFailed"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			entry := hub("a", "x.io")
			entry.Revision = tc.revision
			c := configuration(9, entry)
			c.Default()
			o := outcome{wired: wire(&c, nil, tlsPaths{}, syntax{}), health: health{targetOf(entry): tc.health}, failed: map[string]error{}}
			if tc.failed != nil {
				o.failed["x.io"] = tc.failed
			}
			got := o.status(tc.previous, began)
			var reasons []string
			for _, exception := range got.Exceptions {
				reasons = append(reasons, exception.Reason)
			}
			if got.Revision != tc.want || strings.Join(reasons, " ") != tc.reasons {
				t.Errorf("revision %d and exceptions %v, want %d and %q", got.Revision, got.Exceptions, tc.want, tc.reasons)
			}
			if again := o.status(got, began.Add(time.Hour)); !cmp.Equal(again.Exceptions, got.Exceptions) && tc.health.State == probe.Alive {
				t.Errorf("an hour later: %v", again.Exceptions)
			}
		})
	}
}

func reported(revision int64, exceptions ...v1alpha1.NodeException) v1alpha1.NodeMirrorStatus {
	return v1alpha1.NodeMirrorStatus{Revision: revision, Exceptions: exceptions}
}

func TestWhatIsSaidOfAHubThatDoesNotAnswerHelpsAndStaysTheSame(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, hub("a", "x.io"))), ownNode(nil), ownMirror())
	b.hubs.otherwise["a"] = deadSince(2*reportAfter, true)
	b.mustPass()
	before := b.status()
	if len(before.Exceptions) != 1 {
		t.Fatalf("exceptions %+v", before.Exceptions)
	}
	for _, want := range []string{"connection refused", "http://10.96.31.7:5000", "kubectl describe registryhub a", "to the upstream"} {
		if !strings.Contains(before.Exceptions[0].Message, want) {
			t.Errorf("no %q in %q", want, before.Exceptions[0].Message)
		}
	}
	for _, health := range []probe.Health{unknownSince(0), deadSince(0, false), deadSince(3*reportAfter, false)} {
		b.restart()
		b.hubs.otherwise["a"] = health
		b.mustPass()
		if diff := cmp.Diff(before, b.status()); diff != "" || b.patches != 1 {
			t.Errorf("%s: %d reports (-want +got):\n%s", health.State, b.patches, diff)
		}
	}
}

func TestHeldReadsOnlyWhatIsOurs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := os.MkdirAll(filepath.Join(b.certs, "x.io"), 0o755); err != nil {
		t.Fatal(err)
	}
	if held, err := certsd.New(b.certs, b.run).Held("x.io"); err != nil || held != nil {
		t.Errorf("held %v, %v of a foreign directory", held, err)
	}
}
