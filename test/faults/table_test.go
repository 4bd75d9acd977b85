package faults

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/registryhub/registryhub/test/faults/origin"
)

// row is one fault and what clients see of it.
type row struct {
	name string
	// rules of the first upstream. A site is given for faults that lead elsewhere.
	rules func(t *testing.T, s *site) []origin.Rule
	want  want
	// secure: the upstream speaks TLS. guarded: it wants tokens.
	secure, guarded bool
	// index: the tag names an index; lacksChild: nobody has what the index names.
	index, lacksChild bool
	// large, if set, is the size of the layer in bytes.
	large int
	// waits: what is seen is seen after a time-out.
	waits bool
}

// or stands between outcomes that are both right: which of them is seen depends on what comes first.
const or = " | "

// thenRight is a pull that fails, and the next one does not.
const thenRight = failed + ", then " + byHub + or + failed + ", then " + byUpstream

// want is what is seen while the fault lasts. The zero value of a field is the best there is: right for clients that
// know the hub alone, byHub for nodes.
type want struct {
	// one: the image is not cached, and the failing upstream is the only one. two: a second one works. expired: it is
	// cached, and its tag must be revalidated. What is cached with a fresh tag is always right.
	one, two, expired string
	// nodeOne and nodeTwo are the same for a node, which falls back to the upstream.
	nodeOne, nodeTwo string
}

func (r row) layer() int {
	if r.large > 0 {
		return r.large
	}
	return layerSize
}

// always is a row with one fault that never ends, for an upstream without peculiarities.
func always(f origin.Fault, of origin.Kind, w want) row {
	return rowOf(origin.Rule{Fault: f, For: of}, w)
}

// times is a row with a fault that ends after n answers.
func times(n int, f origin.Fault, of origin.Kind, w want) row {
	return rowOf(origin.Rule{Fault: f, For: of, Times: n}, w)
}

func rowOf(rule origin.Rule, w want) row {
	return row{
		name: rule.Name(), waits: strings.HasPrefix(rule.Fault.Name, origin.Hang.String()),
		rules: func(*testing.T, *site) []origin.Rule { return []origin.Rule{rule} }, want: w,
	}
}

var (
	// failsOver is a fault that one upstream alone cannot be helped with: nodes go to the upstream itself.
	failsOver = want{one: "503", nodeOne: byUpstream}
	// blobFailsOver is the same for blobs.
	blobFailsOver = want{one: "blob: 503", nodeOne: byUpstream}
	// retryable is a fault that a second try helps with, when it comes in time.
	retryable = want{one: right + or + "503", nodeOne: byHub + or + byUpstream}
	// blobRetryable is the same for blobs.
	blobRetryable = want{one: right + or + "blob: 503", nodeOne: byHub + or + byUpstream}
	// thrownAway is a transfer that turns out wrong: who follows it is cut, who comes later, or waits, gets another one.
	thrownAway = want{
		one: "blob: cut" + or + "blob: 503" + or + right, two: "blob: cut" + or + right,
		nodeOne: byUpstream + or + byHub, nodeTwo: byUpstream + or + byHub,
	}
	// spoilt is one that nodes have got wrong bytes of. They put these together with the rest from elsewhere, find the
	// digest wrong and throw all of it away.
	spoilt = want{
		one: thrownAway.one, two: thrownAway.two,
		nodeOne: thrownAway.nodeOne + or + failed + or + thenRight, nodeTwo: thrownAway.nodeTwo + or + thenRight,
	}
	// none is a fault that nobody sees.
	none = want{}
)

// final is an answer that is passed on, whatever other upstreams would say.
func final(status string) want {
	return want{one: status, two: status, expired: status, nodeOne: byUpstream, nodeTwo: byUpstream}
}

// finalBlob is the same for blobs.
func finalBlob(status string) want {
	return want{one: "blob: " + status, two: "blob: " + status, nodeOne: byUpstream, nodeTwo: byUpstream}
}

// table is all that is tried.
func table() []row {
	var all []row
	for _, rows := range [][]row{statuses(), connections(), bodies(), headers(), ranges(), redirects(), tokens(), manifests(), large()} {
		all = append(all, rows...)
	}
	return all
}

func statuses() []row {
	const everything = origin.Everything
	rows := []row{
		always(origin.Status(401), everything, final("403")),
		always(origin.Status(403), everything, final("403")),
		always(origin.Status(404), everything, final("404")),
		always(origin.Status(410), everything, final("404")),
		always(origin.Status(404), origin.Blobs, finalBlob("404")),
		always(origin.Status(403), origin.Blobs, finalBlob("403")),
	}
	for _, fault := range []origin.Fault{origin.Status(416), origin.Status(429), origin.RetryAfter(time.Second)} {
		rows = append(rows,
			always(fault, everything, failsOver),
			times(1, fault, origin.Manifests, retryable),
			times(1, fault, origin.Layers, blobRetryable),
		)
	}
	for _, status := range []int{408, 500, 502, 503, 504} {
		fault := origin.Status(status)
		rows = append(rows,
			always(fault, everything, failsOver),
			times(1, fault, origin.Manifests, none),
			times(1, fault, origin.Layers, none),
		)
	}
	return append(rows,
		always(origin.Status(503), origin.Blobs, blobFailsOver),
		times(3, origin.Status(500), origin.Layers, blobRetryable),
	)
}

func connections() []row {
	const everything = origin.Everything
	rows := []row{always(origin.Refused(), everything, failsOver)}
	for _, end := range []origin.End{origin.Cut, origin.Reset} {
		for _, part := range []origin.Part{origin.Before, origin.InHeader} {
			fault := origin.Stops(end, part)
			rows = append(rows,
				always(fault, everything, failsOver),
				times(1, fault, origin.Manifests, none),
				times(1, fault, origin.Layers, none),
			)
		}
		for _, place := range []origin.Place{origin.AtStart, origin.InMiddle, origin.InLastKiB} {
			fault := origin.StopsInBody(end, place)
			rows = append(rows, times(1, fault, origin.Layers, none), times(3, fault, origin.Layers, none))
		}
		rows = append(rows,
			always(origin.StopsInBody(end, origin.InMiddle), origin.Layers, none),
			always(origin.StopsAtByte(end, layerSize/2), origin.Layers, want{one: "blob: cut", nodeOne: byUpstream}),
			always(origin.StopsAtByte(end, 0), origin.Layers, blobFailsOver),
			times(1, origin.StopsInBody(end, origin.InMiddle), origin.Manifests, none),
		)
	}
	return append(rows,
		always(origin.Stops(origin.Hang, origin.Before), everything, failsOver),
		always(origin.Stops(origin.Hang, origin.InHeader), everything, failsOver),
		times(1, origin.Stops(origin.Hang, origin.Before), origin.Manifests, failsOver),
		times(1, origin.Stops(origin.Hang, origin.Before), origin.Layers, blobFailsOver),
		times(1, origin.StopsInBody(origin.Hang, origin.AtStart), origin.Layers, none),
		times(1, origin.StopsInBody(origin.Hang, origin.InMiddle), origin.Layers, none),
		times(1, origin.StopsInBody(origin.Hang, origin.InLastKiB), origin.Layers, none),
		times(1, origin.StopsInBody(origin.Hang, origin.InMiddle), origin.Manifests, failsOver),
		always(origin.StopsAtByte(origin.Hang, layerSize/2), origin.Layers, want{one: "blob: cut", nodeOne: byUpstream}),
		always(origin.Drip(8<<10, 100*time.Millisecond), origin.Layers, none),
		always(origin.Drip(64, 100*time.Millisecond), origin.Manifests, none),
	)
}

func bodies() []row {
	rows := []row{
		always(origin.FlippedBit(origin.InMiddle), origin.Manifests, failsOver),
		always(origin.FlippedBit(origin.InMiddle), origin.SmallBlobs, blobFailsOver),
	}
	for _, place := range []origin.Place{origin.InFirstKiB, origin.InMiddle, origin.InLastKiB} {
		w := spoilt
		if place == origin.InLastKiB {
			w = thrownAway
		}
		rows = append(rows, times(1, origin.FlippedBit(place), origin.Layers, w), always(origin.FlippedBit(place), origin.Layers, w))
	}
	return append(rows,
		always(origin.Short(500), origin.Layers, thrownAway),
		always(origin.Short(5), origin.Manifests, failsOver),
		always(origin.Longer(500), origin.Layers, none),
		always(origin.Endless(), origin.Layers, blobFailsOver),
		always(origin.Endless(), origin.Manifests, failsOver),
		always(origin.Chunked(), origin.Layers, blobFailsOver),
		always(origin.Chunked(), origin.Manifests, none),
		always(origin.Gzipped(), origin.Layers, blobFailsOver),
		always(origin.Gzipped(), origin.Manifests, failsOver),
		always(origin.Malformed("<html>sign in</html>"), origin.Everything, failsOver),
		always(origin.Malformed("<html>sign in</html>"), origin.Layers, blobFailsOver),
	)
}

func headers() []row {
	return []row{
		always(origin.HugeHeader(1<<20), origin.Everything, failsOver),
		always(origin.WrongDigest(), origin.Manifests, failsOver),
		always(origin.WrongDigest(), origin.Blobs, none),
		always(origin.Header("Content-Type", "text/plain"), origin.Everything, none),
		always(origin.Header("Docker-Content-Digest", "sha256:short"), origin.Everything, none),
	}
}

// ranges are faults of what follows a transfer that was cut in its middle.
func ranges() []row {
	after := func(f func(s *site) origin.Fault, w want) row {
		name := f(&site{land: &land{registry: origin.NewRegistry()}}).Name
		return row{name: "cut in the middle, once for layers; then " + name, want: w, rules: func(_ *testing.T, s *site) []origin.Rule {
			return []origin.Rule{
				{Fault: f(s), For: origin.Layers},
				{Fault: origin.StopsInBody(origin.Cut, origin.InMiddle), For: origin.Layers, Times: 1},
			}
		}}
	}
	return []row{
		after(func(s *site) origin.Fault { return origin.NoRanges(s.registry.Whole) }, none),
		after(func(*site) origin.Fault { return origin.RangesRefused() }, none),
		after(func(*site) origin.Fault { return origin.WrongContentRange() },
			want{one: "blob: cut" + or + right, nodeOne: byHub + or + byUpstream}),
		after(func(s *site) origin.Fault { return origin.OtherRange(s.registry.Whole) }, spoilt),
		after(func(*site) origin.Fault { return ofRanges(origin.Status(http.StatusNotFound)) },
			want{one: "blob: cut" + or + "blob: 503", nodeOne: byUpstream}),
	}
}

func ofRanges(f origin.Fault) origin.Fault {
	f.OfRanges = true
	f.Name += " to ranges"
	return f
}

func redirects() []row {
	to := func(name string, w want, elsewhere func(t *testing.T, s *site) string) row {
		return row{name: "blobs redirected " + name, want: w, rules: func(t *testing.T, s *site) []origin.Rule {
			t.Helper()
			return []origin.Rule{{Fault: origin.Redirect(name, elsewhere(t, s)), For: origin.Blobs}}
		}}
	}
	toHTTP := to("from https to http", blobFailsOver, func(t *testing.T, s *site) string { t.Helper(); return s.elsewhere(t, nil) })
	toHTTPS := to("to https", none, func(t *testing.T, s *site) string { t.Helper(); return s.elsewhere(t, s.secure) })
	toHTTP.secure, toHTTPS.secure = true, true
	return []row{
		to("to another host", none, func(t *testing.T, s *site) string { t.Helper(); return s.elsewhere(t, nil) }),
		to("to a dead host", blobFailsOver, func(t *testing.T, s *site) string {
			t.Helper()
			return s.elsewhere(t, nil, origin.Rule{Fault: origin.Refused()})
		}),
		to("to a host that hangs", blobFailsOver, func(t *testing.T, s *site) string {
			t.Helper()
			return s.elsewhere(t, nil, origin.Rule{Fault: origin.Stops(origin.Hang, origin.Before), For: origin.Everything})
		}),
		to("to a host that forbids it", finalBlob("403"), func(t *testing.T, s *site) string {
			t.Helper()
			return s.elsewhere(t, nil, origin.Rule{Fault: origin.Status(403), For: origin.Everything})
		}),
		to("to a host that cuts once", none, func(t *testing.T, s *site) string {
			t.Helper()
			return s.elsewhere(t, nil, origin.Rule{Fault: origin.StopsInBody(origin.Cut, origin.InMiddle), For: origin.Layers, Times: 1})
		}),
		to("in a loop", blobFailsOver, func(_ *testing.T, s *site) string { return s.origin.URL }),
		toHTTP, toHTTPS,
	}
}

func tokens() []row {
	refusedToken := final("403")
	refusedToken.expired = right // the token of before still lives
	rows := []row{
		guarded(always(origin.Status(401), origin.Tokens, refusedToken)),
		guarded(always(origin.Status(403), origin.Tokens, refusedToken)),
		guarded(always(origin.Status(404), origin.Tokens, failsOver)),
		guarded(always(origin.Status(429), origin.Tokens, failsOver)),
		guarded(always(origin.Status(503), origin.Tokens, failsOver)),
		guarded(times(1, origin.Status(503), origin.Tokens, none)),
		guarded(always(origin.Stops(origin.Cut, origin.Before), origin.Tokens, failsOver)),
		guarded(always(origin.Stops(origin.Hang, origin.Before), origin.Tokens, failsOver)),
		guarded(always(origin.Malformed("{}"), origin.Tokens, failsOver)),
		guarded(times(1, origin.Revoked(), origin.Layers, none)),
		guarded(always(origin.Revoked(), origin.Everything, final("403"))),
	}
	down := guarded(row{name: "the token server is down", want: failsOver, rules: func(*testing.T, *site) []origin.Rule {
		return []origin.Rule{{Fault: origin.Refused(), For: origin.Tokens}}
	}})
	moved := guarded(row{name: "the token server redirects to another host", want: failsOver, rules: func(t *testing.T, s *site) []origin.Rule {
		t.Helper()
		return []origin.Rule{{Fault: origin.Redirect("of tokens", s.elsewhere(t, nil)), For: origin.Tokens}}
	}})
	short := guarded(row{name: "tokens that live a second", want: none, rules: func(_ *testing.T, s *site) []origin.Rule {
		s.tokens.ExpiresIn = 1
		return nil
	}})
	revoked := guarded(times(1, origin.Revoked(), origin.Manifests, final("403"))) // at its first use: a refusal
	revoked.want.expired = right
	return append(rows, down, moved, short, revoked)
}

func guarded(r row) row {
	r.guarded = true
	return r
}

func manifests() []row {
	other := row{name: "another manifest under a digest", want: failsOver, rules: func(t *testing.T, s *site) []origin.Rule {
		t.Helper()
		image, err := s.registry.PushImage("other/"+s.host, "v1", 7, 10)
		must(t, err)
		return []origin.Rule{{Fault: origin.OtherManifest(image.Content[image.Root.Digest]), For: origin.Manifests}}
	}}
	lacking := row{
		name: "an index whose image is missing", want: want{one: "404", two: "404", expired: "404", nodeOne: failed, nodeTwo: failed},
		index: true, lacksChild: true, rules: func(*testing.T, *site) []origin.Rule { return nil },
	}
	index := times(1, origin.StopsInBody(origin.Cut, origin.InMiddle), origin.Layers, none)
	index.name, index.index = "an index, and "+index.name, true
	secure := times(1, origin.StopsInBody(origin.Reset, origin.InMiddle), origin.Layers, none)
	secure.name, secure.secure = "TLS, and "+secure.name, true
	return []row{other, lacking, index, secure}
}

// largeBlob is a size in bytes that is worth more than one connection.
const largeBlob = 24 << 20

// large are faults of a blob that is fetched in segments.
func large() []row {
	rows := []row{
		times(1, origin.StopsInBody(origin.Cut, origin.InMiddle), origin.Layers, none),
		times(3, origin.StopsInBody(origin.Reset, origin.InMiddle), origin.Layers, none),
		times(1, origin.FlippedBit(origin.InLastKiB), origin.Layers, spoilt), // of the first segment
		always(origin.RangesRefused(), origin.Layers, none),
		{want: none, name: "200 to ranges, always for layers", rules: func(_ *testing.T, s *site) []origin.Rule {
			return []origin.Rule{{Fault: origin.NoRanges(s.registry.Whole), For: origin.Layers}}
		}},
	}
	for i := range rows {
		rows[i].name, rows[i].large = "a blob of 24 MiB, and "+rows[i].name, largeBlob
	}
	return rows
}
