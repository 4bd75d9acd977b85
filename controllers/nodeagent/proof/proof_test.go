package proof_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/proof"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a runtime that pulls canaries from hubs: host -> the UID of the hub that answers for it. Others answer nothing.
type node struct {
	mu     sync.Mutex
	hubs   map[string]string
	images []string
	pulls  []string
	busy   bool
	hangs  bool
	// reason is why, when a pull fails; "" when nobody knows.
	reason string
}

var errNotThere = errors.New("not found: /v2/NAME")

func (n *node) Pull(ctx context.Context, image string) (string, error) {
	host, rest, _ := strings.Cut(image, "/")
	repository, tag, _ := strings.Cut(rest, ":")
	name, canary := configv1alpha1.ParseCanaryRepository(repository)
	if !canary || tag != configv1alpha1.CanaryTag || name.Architecture != runtime.GOARCH {
		return "", errors.New("this is no canary: " + image)
	}
	if err := n.begin(image, host); err != nil {
		return "", err
	}
	defer n.end()
	if n.hangs {
		<-ctx.Done()
		return "", ctx.Err()
	}
	time.Sleep(time.Millisecond) //nolint:forbidigo // in a bubble, where it is how time passes
	n.mu.Lock()
	defer n.mu.Unlock()
	uid, answers := n.hubs[host]
	if !answers {
		return "", errors.New(strings.Replace(errNotThere.Error(), "NAME", name.Nonce, 1))
	}
	n.images = append(n.images, image)
	return configv1alpha1.NewCanaryImage(uid, name).Config.Digest, nil
}

func (n *node) explain(_ context.Context, _ proof.Target, err error) proof.Failure {
	n.mu.Lock()
	defer n.mu.Unlock()
	return proof.Failure{Reason: n.reason, Message: err.Error()}
}

func (n *node) begin(image, host string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.busy || slices.Contains(n.images, image) {
		return errors.New("two pulls at once, or one twice")
	}
	n.busy = true
	n.pulls = append(n.pulls, host)
	return nil
}

func (n *node) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.busy = false
}

func (n *node) Remove(_ context.Context, image string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.images = slices.DeleteFunc(n.images, func(one string) bool { return one == image })
	return nil
}

func (n *node) Tags(context.Context) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.images), nil
}

func (n *node) answer(host, uid string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hubs[host] = uid
}

func (n *node) because(reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reason = reason
}

func (n *node) silence(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.hubs, host)
}

// asked are the hosts that were pulled from since the last call.
func (n *node) asked() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	was := n.pulls
	n.pulls = nil
	return was
}

func target(host string) proof.Target {
	return proof.Target{Host: host, HubUID: "uid-" + host, Wiring: "1"}
}

// run runs a prover of a node in a bubble, until the function returns.
func run(t *testing.T, n *node, f func(t *testing.T, p *proof.Prover)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := proof.New(proof.Options{Images: n, Explain: n.explain, Logger: logr.Discard()})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.Run(ctx)
		}()
		f(t, p)
		cancel()
		<-done
		if len(n.images) > 0 {
			t.Errorf("images are left: %q", n.images)
		}
	})
}

// after lets time pass, and everything that is due in it happen.
func after(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // in a bubble, where it is how time passes
	synctest.Wait()
}

func want(t *testing.T, p *proof.Prover, of proof.Target, verdict proof.Verdict) proof.Outcome {
	t.Helper()
	got := p.Outcome(of)
	if got.Verdict != verdict || (got.Failure.Message != "") != (verdict == proof.Failed) {
		t.Errorf("%s: got verdict %d (%v), want %d", of.Host, got.Verdict, got.Failure, verdict)
	}
	return got
}

func TestHubsThatAnswerAreProvenOneAfterTheOther(t *testing.T) {
	t.Parallel()
	n := &node{hubs: map[string]string{"a": "uid-a", "b": "uid-b", "c": "uid-c"}}
	run(t, n, func(t *testing.T, p *proof.Prover) {
		t.Helper()
		want(t, p, target("a"), proof.Pending)
		p.Prove([]proof.Target{target("c"), target("a"), target("b")})
		after(5 * time.Second)
		for _, host := range []string{"a", "b", "c"} {
			want(t, p, target(host), proof.Proven)
		}
		if diff := cmp.Diff([]string{"a", "b", "c"}, n.asked()); diff != "" {
			t.Errorf("pulls (-want +got):\n%s", diff)
		}
		select {
		case <-p.Changed():
		default:
			t.Error("the change was not told of")
		}
	})
}

func TestAProofIsMadeAgainWhenTheWiringChangesAndEachHour(t *testing.T) {
	t.Parallel()
	n := &node{hubs: map[string]string{"a": "uid-a", "b": "uid-b"}}
	run(t, n, func(t *testing.T, p *proof.Prover) {
		t.Helper()
		p.Prove([]proof.Target{target("a"), target("b")})
		after(5 * time.Second)
		n.asked()

		changed := target("b")
		changed.Wiring = "2"
		p.Prove([]proof.Target{target("a"), changed})
		want(t, p, changed, proof.Pending)
		want(t, p, target("b"), proof.Pending)
		after(5 * time.Second)
		want(t, p, changed, proof.Proven)
		if diff := cmp.Diff([]string{"b"}, n.asked()); diff != "" {
			t.Errorf("pulls after a change (-want +got):\n%s", diff)
		}
		after(50 * time.Minute)
		if asked := n.asked(); len(asked) > 0 {
			t.Errorf("pulls within an hour: %q", asked)
		}
		after(20 * time.Minute)
		if asked := n.asked(); len(asked) != 2 {
			t.Errorf("pulls after an hour: %q", asked)
		}
	})
}

func TestAFailureIsTriedAgainBeforeItIsTold(t *testing.T) {
	t.Parallel()
	n := &node{hubs: map[string]string{"a": "uid-a"}}
	run(t, n, func(t *testing.T, p *proof.Prover) {
		t.Helper()
		p.Prove([]proof.Target{target("a")})
		after(time.Second)
		n.silence("a")
		for p.Outcome(target("a")).Verdict == proof.Proven {
			after(time.Second)
		}
		if asked := n.asked(); len(asked) != 3 {
			t.Errorf("one success and two failures make a verdict, got %d pulls", len(asked))
		}
		failed := want(t, p, target("a"), proof.Failed)
		if says := failed.Failure.Message; !strings.Contains(says, "/NONCE:v1: not found: /v2/NONCE") {
			t.Errorf("the message is not the same for each pull: %s", says)
		}
		after(5 * time.Minute)
		if again := want(t, p, target("a"), proof.Failed); again != failed {
			t.Error("the failure changed while the host failed on")
		}
		if asked := len(n.asked()); asked < 3 || asked > 6 {
			t.Errorf("got %d pulls in 5 minutes", asked)
		}
		n.because("another")
		after(12 * time.Minute)
		if again := want(t, p, target("a"), proof.Failed); again.Failure.Reason != "another" {
			t.Errorf("the host fails for another reason now, and the outcome is %+v", again)
		}
		n.answer("a", "uid-a")
		after(12 * time.Minute)
		want(t, p, target("a"), proof.Proven)
	})
}

func TestAnotherHubsAnswerIsNoProof(t *testing.T) {
	t.Parallel()
	n := &node{hubs: map[string]string{"a": "uid-of-another"}}
	run(t, n, func(t *testing.T, p *proof.Prover) {
		t.Helper()
		p.Prove([]proof.Target{target("a")})
		after(30 * time.Second)
		if got := want(t, p, target("a"), proof.Failed); !strings.Contains(got.Failure.Message, "not this hub's") {
			t.Errorf("got %v", got.Failure)
		}
	})
}

func TestAPullThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	n := &node{hubs: map[string]string{}, hangs: true}
	run(t, n, func(t *testing.T, p *proof.Prover) {
		t.Helper()
		p.Prove([]proof.Target{target("a")})
		after(75 * time.Second)
		if got := want(t, p, target("a"), proof.Failed); !strings.Contains(got.Failure.Message, context.DeadlineExceeded.Error()) {
			t.Errorf("got %v", got.Failure)
		}
	})
}

func TestCanariesThatWereLeftBehindAreRemoved(t *testing.T) {
	t.Parallel()
	left := "a/registryhub.invalid/canary/amd64/" + strings.Repeat("0", 32) + ":v1"
	n := &node{images: []string{"docker.io/library/nginx:1", left}}
	synctest.Test(t, func(t *testing.T) {
		p := proof.New(proof.Options{Images: n, Explain: n.explain, Logger: logr.Discard()})
		ctx, cancel := context.WithCancel(t.Context())
		go p.Run(ctx)
		synctest.Wait()
		cancel()
		synctest.Wait()
		if diff := cmp.Diff([]string{"docker.io/library/nginx:1"}, n.images); diff != "" {
			t.Errorf("images (-want +got):\n%s", diff)
		}
	})
}

func TestTheCanaryOfEveryOtherHostIsPulledFromOneThatNobodyHas(t *testing.T) {
	t.Parallel()
	anyHost := target("*")
	n := &node{hubs: map[string]string{"any.registryhub.invalid": anyHost.HubUID}}
	run(t, n, func(t *testing.T, p *proof.Prover) {
		t.Helper()
		p.Prove([]proof.Target{anyHost})
		after(time.Second)
		want(t, p, anyHost, proof.Proven)
	})
}
