package pullthrough

import (
	"context"
	"net/http"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/rules"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// messageFallback is the event of each use of a fallback rule.
const messageFallback = "fallback rule used"

// found is a manifest that an upstream has.
type found struct {
	upstream.Manifest
	// upstream is its name.
	upstream string
	// effective is the repository name under which it has it.
	effective string
}

// find asks for a manifest by the name that the client used and, where a rule says so, by another.
func (m *Mirror) find(ctx context.Context, q query) (found, error) {
	return ask(ctx, q.host.Upstreams, func(u *upstream.Client) (found, error) {
		one, err := m.getManifest(ctx, u, q.Repository, q.Reference)
		if err == nil {
			return one, nil
		}
		return m.fallback(ctx, q, u, err)
	})
}

// findAgain asks for a manifest by the name under which it was found before and, when it is not there any more, once by
// the client's. No name is derived again.
func (m *Mirror) findAgain(ctx context.Context, q query, effective string) (found, error) {
	one, err := m.findAs(ctx, q, effective)
	if effective != q.Repository && upstream.IsNotFound(err) {
		return m.findAs(ctx, q, q.Repository)
	}
	return one, err
}

func (m *Mirror) findAs(ctx context.Context, q query, name string) (found, error) {
	return ask(ctx, q.host.Upstreams, func(u *upstream.Client) (found, error) {
		return m.getManifest(ctx, u, name, q.Reference)
	})
}

func (m *Mirror) getManifest(ctx context.Context, u *upstream.Client, name string, reference distspec.Reference) (found, error) {
	one, err := u.Manifest(ctx, name, reference)
	m.Metrics.Received(u.Name(), int64(len(one.Content)))
	return found{Manifest: one, upstream: u.Name(), effective: name}, m.counted(u, "manifest", err)
}

// fallback asks under the name that a rule derives after that refusal. When it is not there either the refusal stands;
// when the upstream cannot say, nobody can.
func (m *Mirror) fallback(ctx context.Context, q query, u *upstream.Client, refusal error) (found, error) {
	attempt, ok := q.Rules.Fallback(u.Host(), q.Repository, upstream.Status(refusal))
	if !ok {
		return found{}, refusal
	}
	one, err := m.getManifest(ctx, u, attempt.Repository, q.Reference)
	m.reportFallback(q, u, attempt, refusal, err)
	switch {
	case err == nil:
		return one, nil
	case final(err):
		return found{}, endError{refusal}
	default:
		return found{}, endError{unavailable(err)}
	}
}

func (m *Mirror) reportFallback(q query, u *upstream.Client, attempt rules.Attempt, refusal, outcome error) {
	result, level, status := "found", 0, http.StatusOK
	if outcome != nil {
		result, level, status = "failed", 1, upstream.Status(outcome)
		if final(outcome) {
			result = "missed"
		}
	}
	m.Metrics.Fallback(attempt.Rule, result)
	m.Logger.V(level).Info(messageFallback, "hub", m.Hub, "host", q.host.Name, "upstream", u.Name(), "rule", attempt.Rule,
		"requestedRepository", q.Repository, "effectiveRepository", attempt.Repository, "reference", q.Reference.String(),
		"method", http.MethodGet, "status", upstream.Status(refusal), "effectiveStatus", status)
}

// head asks what a tag names now. An upstream that does not say gives an empty digest.
func (m *Mirror) head(ctx context.Context, q query, name string) (upstream.Descriptor, string, error) {
	var from string
	d, err := ask(ctx, q.host.Upstreams, func(u *upstream.Client) (upstream.Descriptor, error) {
		from = u.Name()
		d, err := u.ManifestHead(ctx, name, q.Reference)
		return d, m.counted(u, "manifest", err)
	})
	return d, from, err
}
