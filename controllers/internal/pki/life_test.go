package pki

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestEveryNodeAndEveryHubTrustEachOtherForTwentyYears lives through twenty years in which the operator may be away for
// days, and each node and each Pod takes up what it is given when it likes within what is promised: at every moment any
// node must be able to call any hub, and be let in.
func TestEveryNodeAndEveryHubTrustEachOtherForTwentyYears(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for w.now.Before(start.AddDate(20, 0, 0)) {
			w.next()
			w.mustTrust()
		}
		if w.switches < 5 {
			t.Fatalf("%d changes of authority in twenty years: the test tests nothing", w.switches)
		}
	})
}

// world is an operator, the Secrets that it writes, and who uses them.
type world struct {
	t        *rapid.T
	now      time.Time
	settings Settings
	lifetime time.Duration

	stored    Authorities
	secrets   []secret // the hubs', and the nodes' at the end
	nodes     []trustee
	pods      []trustee
	bundle    []byte
	pending   []event
	switches  int
	heard     []time.Time
	published time.Time
	verified  map[string]bool
}

type secret struct {
	holder Holder
	pair   KeyPair
}

// trustee is a node, with a client's certificate, or a Pod, with a server's.
type trustee struct {
	bundle []byte
	pair   KeyPair
}

type event struct {
	at time.Time
	do func()
}

const hubs, nodes = 2, 2

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, now: start, lifetime: 300 * 24 * time.Hour,
		settings: Settings{Lifetime: 5 * 365 * 24 * time.Hour, Overlap: time.Hour},
		secrets:  make([]secret, hubs+1), nodes: make([]trustee, nodes), pods: make([]trustee, hubs),
		heard: make([]time.Time, nodes), verified: map[string]bool{},
	}
	w.rotate()
	for i := range w.secrets {
		w.renew(i)
	}
	for i := range w.pods {
		w.pods[i] = w.secrets[i].shown()
	}
	for i := range w.nodes {
		w.nodes[i] = trustee{bundle: w.bundle, pair: w.secrets[hubs].pair}
	}
	return w
}

func (s secret) shown() trustee { return trustee{bundle: s.holder.Bundle, pair: s.pair} }

// next goes on to the earliest of what is to come.
func (w *world) next() {
	slices.SortStableFunc(w.pending, func(a, b event) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	first := w.pending[0]
	w.pending = w.pending[1:]
	w.now = first.at
	first.do()
}

func (w *world) in(delay time.Duration, do func()) {
	w.pending = append(w.pending, event{at: w.now.Add(delay), do: do})
}

func (w *world) some(longest time.Duration, what string) time.Duration {
	return time.Duration(rapid.Int64Range(0, int64(longest)-1).Draw(w.t, what))
}

// absence is how long the operator is away before it looks again.
func (w *world) absence() time.Duration {
	if rapid.IntRange(0, 9).Draw(w.t, "operator away") == 0 {
		return w.some(20*24*time.Hour, "absence")
	}
	return w.some(time.Minute, "delay")
}

// rotate is the operator's look at the authorities. It may be stopped after any write, which here is its only one.
func (w *world) rotate() {
	observed := Observed{NodesTrust: true}
	for _, s := range w.secrets {
		if !s.pair.IsZero() {
			observed.Holders = append(observed.Holders, s.holder)
		}
	}
	for _, heard := range w.heard {
		observed.NodesTrust = observed.NodesTrust && !heard.Before(w.published)
	}
	step, _ := w.stored.NextStep(observed, w.settings, w.now)
	var err error
	if w.stored, err = w.stored.After(step, w.settings, w.now); err != nil {
		w.t.Fatal(err)
	}
	if step == Switch {
		w.switches++
	}
	if bundle := w.stored.Bundle(); !slices.Equal(bundle, w.bundle) {
		w.publish(bundle)
	}
	look := w.stored.NextLook(w.settings, w.now)
	if w.steady() { // years of looks every five minutes would tell nothing more
		look = w.stored.Current.renewal().Sub(w.now)
	}
	w.in(look+w.absence(), w.rotate)
}

func (w *world) publish(bundle []byte) {
	w.bundle, w.published = bundle, w.now
	for i := range w.nodes {
		w.in(w.some(Patience/2, "node hears"), func() {
			w.nodes[i].bundle, w.heard[i] = w.bundle, w.now
		})
	}
}

// renew is the operator's look at one Secret.
func (w *world) renew(i int) {
	profile := hubProfile()
	if i == hubs {
		profile = Client("nodes")
	}
	was := w.secrets[i]
	reason := ReasonMissing
	if !was.pair.IsZero() {
		key, err := EncodeKey(was.pair)
		if err != nil {
			w.t.Fatal(err)
		}
		_, reason = w.stored.WhyIssue(was.holder.Certificate, key, profile, w.now)
	}
	is := secret{pair: was.pair, holder: Holder{Certificate: was.holder.Certificate, Bundle: w.stored.Bundle(), Changed: was.holder.Changed}}
	if reason != "" {
		var err error
		if is.pair, err = w.stored.Issue(profile, w.now, w.lifetime); err != nil {
			w.t.Fatal(err)
		}
		is.holder.Certificate = EncodeCertificate(is.pair.Certificate)
	}
	if reason != "" || !slices.Equal(is.holder.Bundle, was.holder.Bundle) {
		is.holder.Changed = w.now
		w.mount(i)
	}
	w.secrets[i] = is
	look := 20 * time.Minute
	if w.steady() {
		look = max(6*time.Hour, min(is.pair.renewal().Sub(w.now), w.stored.Current.renewal().Sub(w.now)))
	}
	w.in(look+w.absence(), func() { w.renew(i) })
}

func (w *world) steady() bool { return w.stored.Next.IsZero() && len(w.stored.Previous) == 0 }

// mount brings a Secret into Pods, each in its own time, less than the overlap.
func (w *world) mount(i int) {
	if i < hubs {
		w.in(w.some(w.settings.Overlap, "mount"), func() { w.pods[i] = w.secrets[i].shown() })
		return
	}
	for n := range w.nodes {
		w.in(w.some(w.settings.Overlap, "mount"), func() { w.nodes[n].pair = w.secrets[hubs].pair })
	}
}

func (w *world) mustTrust() {
	for n, node := range w.nodes {
		for p, pod := range w.pods {
			if err := w.verify(pod.pair, node.bundle, x509.ExtKeyUsageServerAuth); err != nil {
				w.t.Fatalf("%s: node %d does not trust hub %d: %v", w.now, n, p, err)
			}
			if err := w.verify(node.pair, pod.bundle, x509.ExtKeyUsageClientAuth); err != nil {
				w.t.Fatalf("%s: hub %d does not let node %d in: %v", w.now, p, n, err)
			}
		}
	}
}

// verify is x509's verdict, which is asked for once for each pair of certificate and bundle: only time moves on in
// between.
func (w *world) verify(leaf KeyPair, bundle []byte, usage x509.ExtKeyUsage) error {
	asked := string(leaf.Certificate.Raw) + string(bundle)
	if !w.verified[asked] {
		if err := verify(leaf, bundle, usage, w.now); err != nil {
			return err
		}
		w.verified[asked] = true
	}
	if w.now.After(leaf.Certificate.NotAfter) {
		return fmt.Errorf("it expired at %s", leaf.Certificate.NotAfter)
	}
	return nil
}

func verify(leaf KeyPair, bundle []byte, usage x509.ExtKeyUsage, now time.Time) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return fmt.Errorf("the bundle %q holds no certificate", bundle)
	}
	options := x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}}
	if usage == x509.ExtKeyUsageServerAuth {
		options.DNSName = "10.96.0.7"
	}
	_, err := leaf.Certificate.Verify(options)
	return err
}
