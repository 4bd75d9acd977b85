package pki

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// Patience is how long a Ready node that does not report a new bundle is waited for. What it pulls goes to the upstream
// afterwards, until it has taken it up.
const Patience = 24 * time.Hour

// Settings are what a rotation goes by.
type Settings struct {
	// Lifetime of an authority. When two thirds of it are over the next one is made.
	Lifetime time.Duration
	// Overlap is how long what was written to Secrets takes at most to be in force in Pods, with a margin.
	Overlap time.Duration
}

// Holder is a Secret with a leaf certificate, and what its Pods therefore show and trust.
type Holder struct {
	// Certificate in PEM.
	Certificate []byte
	// Issued is true when somebody else's authority has signed the certificate.
	Issued bool
	// Bundle that is trusted, in PEM.
	Bundle []byte
	// Changed is when either was last changed.
	Changed time.Time
}

// Observed is how far the cluster has come with what the authorities are.
type Observed struct {
	// Holders are all Secrets with leaf certificates of ours.
	Holders []Holder
	// NodesTrust is true when every Ready node reports that it trusts the present bundle.
	NodesTrust bool
	// RotateBefore asks to replace an authority that was made before this time. Zero: nobody asks.
	RotateBefore time.Time
}

// Step is what to do next with the authorities.
type Step string

// The steps of a rotation. Each is safe to do again, and the machine may stop after any of them.
const (
	// Keep: there is nothing to do, now.
	Keep Step = "keep"
	// Create: there is no authority that could be kept, so one is made that signs at once.
	Create Step = "create"
	// Prepare: the next authority is made, for nodes and hubs to trust before it signs anything.
	Prepare Step = "prepare"
	// Switch: the next authority is trusted everywhere and becomes the current one.
	Switch Step = "switch"
	// Drop: nothing is in use any more that the previous authorities signed.
	Drop Step = "drop"
)

// NextStep decides, with the reason for who reads the log.
func (a Authorities) NextStep(o Observed, s Settings, now time.Time) (Step, string) {
	for _, policy := range []func(Authorities, Observed, Settings, time.Time) (Step, string){
		unusable, awaited, outlived, due,
	} {
		if step, reason := policy(a, o, s, now); step != "" {
			return step, reason
		}
	}
	return Keep, "no step is due"
}

// unusable: the current authority is gone, expired, or has lost its key.
func unusable(a Authorities, _ Observed, _ Settings, now time.Time) (Step, string) {
	gone := a.Current.IsZero() || !now.Before(a.Current.Certificate.NotAfter)
	switch {
	case gone && a.Next.usable(now):
		return Switch, "the current certificate authority is gone or has expired"
	case gone:
		return Create, "there is no certificate authority"
	case a.Current.Key == nil && !a.Next.usable(now):
		return Prepare, "the key of the current certificate authority is lost"
	}
	return "", ""
}

// awaited: the next authority is trusted everywhere, or has been waited for long enough. Hubs are waited for longer than
// nodes: one that does not trust a node lets none of it in.
func awaited(a Authorities, o Observed, s Settings, now time.Time) (Step, string) {
	if a.Next.IsZero() {
		return "", ""
	}
	bundle := a.Bundle()
	trusted := func(h Holder) bool { return bytes.Equal(h.Bundle, bundle) }
	prepared := a.Next.Created()
	heard := o.NodesTrust || !now.Before(prepared.Add(Patience))
	switch {
	case now.Before(prepared.Add(s.Overlap)):
		return Keep, "the next certificate authority has just been made"
	case heard && o.settled(s, now, trusted):
		return Switch, "nodes and hubs trust the next certificate authority"
	case !now.Before(prepared.Add(a.Current.Certificate.NotAfter.Sub(prepared) / 2)):
		return Switch, "half of what was left of the current certificate authority's life is over"
	}
	return Keep, "nodes and hubs are taking up the next certificate authority"
}

// outlived: what the previous authorities signed is not in use any more, or they have expired.
func outlived(a Authorities, o Observed, s Settings, now time.Time) (Step, string) {
	if len(a.Previous) == 0 {
		return "", ""
	}
	expired := func(c *x509.Certificate) bool { return !now.Before(c.NotAfter) }
	switch {
	case !slices.ContainsFunc(a.Previous, func(c *x509.Certificate) bool { return !expired(c) }):
		return Drop, "the previous certificate authority has expired"
	case o.settled(s, now, func(h Holder) bool { return h.Issued || holds(h, a.Current.Certificate) }):
		return Drop, "nothing is in use any more that the previous certificate authority signed"
	}
	return "", ""
}

// due: it is time for the next authority, or somebody asked for it.
func due(a Authorities, o Observed, _ Settings, now time.Time) (Step, string) {
	switch {
	case !now.Before(a.Current.renewal()):
		return Prepare, "two thirds of the certificate authority's life are over"
	case a.Current.Created().Before(o.RotateBefore) && !now.Before(o.RotateBefore):
		return Prepare, "somebody asked for another certificate authority"
	}
	return "", ""
}

// settled says whether every holder is so, and has been for the overlap.
func (o Observed) settled(s Settings, now time.Time, so func(Holder) bool) bool {
	return !slices.ContainsFunc(o.Holders, func(h Holder) bool {
		return !so(h) || now.Before(h.Changed.Add(s.Overlap))
	})
}

func holds(h Holder, authority *x509.Certificate) bool {
	leaf, err := ParseCertificates(h.Certificate)
	return err == nil && len(leaf) > 0 && signedBy(leaf[0], authority)
}

// After is what the authorities are after a step.
func (a Authorities) After(step Step, s Settings, now time.Time) (Authorities, error) {
	next := Authorities{Current: a.Current, Next: a.Next, Previous: slices.Clone(a.Previous)}
	var err error
	switch step {
	case Create:
		next.retire(now)
		next.Current, err = newAuthority(now, s.Lifetime)
	case Prepare:
		next.Next, err = newAuthority(now, s.Lifetime)
	case Switch:
		next.retire(now)
		next.Current, next.Next = next.Next, KeyPair{}
	case Drop:
		next.Previous = nil
	case Keep:
	}
	return next, err
}

// retire makes the current authority a previous one, and forgets those that have expired.
func (a *Authorities) retire(now time.Time) {
	if !a.Current.IsZero() {
		a.Previous = slices.Insert(a.Previous, 0, a.Current.Certificate)
	}
	a.Previous = slices.DeleteFunc(a.Previous, func(c *x509.Certificate) bool { return !now.Before(c.NotAfter) })
}

// lookPeriod bounds how long a Secret that somebody changed stays so: Secrets are not watched.
const lookPeriod = time.Minute

// NextLook is how long the authorities can be left alone.
func (a Authorities) NextLook(s Settings, now time.Time) time.Duration {
	if !a.Next.IsZero() || len(a.Previous) > 0 {
		return max(time.Second, min(lookPeriod, s.Overlap/4))
	}
	return max(time.Second, min(lookPeriod, a.Current.renewal().Sub(now)))
}
