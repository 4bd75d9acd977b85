package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Machine is where, and with which versions, was measured.
type Machine struct {
	Cores int
	// Versions by what has them.
	Versions map[string]string
}

const introduction = `# Benchmarks

Written by ` + "`make bench`" + ` (` + "`hack/bench`" + `); do not edit it.

Our proxy is measured beside what a user would otherwise run: distribution's registry as a pull-through cache, and nginx with
` + "`proxy_cache`" + `. nginx serving the same objects as plain files by sendfile is the limit for what is cached; the upstream itself,
asked directly, is the measure of what is not. Each is a process of its own, configured as a user would, without access logs.
All speak HTTP over loopback, fetch from one synthetic upstream, and keep their caches on one disk. The clients run
on the same processors, so that throughput is shared with them; CPU is that of the server's processes alone, from
their clocks.

Runs are interleaved, one contender after the other and then all again; the figures are medians. Nothing of a contender before is
still to be written to the disk when one begins, and of what needs fresh memory there was a round before those that count. Loads
repeat one request over kept connections, for four seconds: in the first of them many clients that begin at once ask nginx for
the same pages at the same time, and it sends them faster than it does later (64 clients of large blobs: RegistryHub has 0.75 to
0.85 of its throughput in that second, as --only hits --for 1s shows). Pulls do as containerd does: the tag by HEAD, the manifest
by digest, three blobs at once, a connection each. Absolute figures are those of a machine: look at the ratios. Peak memory is the sum of VmHWM of a
server's processes, which counts what nginx's workers share for each of them; it only grows while cases share a server.

Over TLS a server reads, encrypts and writes what the kernel sends by itself without it. Of our proxy's time about a third goes
into AES-GCM, a third into copies of the file out of the page cache and a third into writes to the socket
(pprof); nginx does the same with OpenSSL. Clients resume no sessions, so a handshake is one ECDSA signature, 2 % at 64 clients.

The end of a blob goes out when its digest is right. SHA-256 takes 0.6 to 0.9 s a GiB of one core where this was measured (the difference
between the two columns of CPU), so that 256 MiB take 0.15 to 0.2 s, which an upstream as fast as loopback sends in 0.06 to 0.09 s: no
client can have all of such a cold blob in 1.3 times that, and about twice is the least. For the same reason a cold pull from such an upstream takes
longer than through proxy_cache, which verifies nothing: clients, upstream and proxy share two processors, and hashing alone takes
as much of them as proxy_cache in all.

What kill -9 costs a fill is what the upstream sends until the kernel has taken the process down: at the 500 MB/s that come here over
all connections some MiB for each kill. Nothing that was written is lost.

Pushes are a POST and a PUT for each blob, none of which the registry has. Ours hashes a blob, syncs it and the folder that
names it, and answers then. Of the clients' own hashing nothing is counted: digests are known beforehand. 32 clients with
1 GiB each are left out, as there was no disk for them. Buckets are those of versitygw on the same disk, a server for each registry,
whose own CPU is not counted.

A node's agent runs with a real API server, a proxy of ours over TLS for each hub, each a process with an address of its own, and a
container runtime that answers for canaries. Private memory is the most of RssAnon in 30 s after everything was proven; CPU is
a share of one processor in that time. Each hub is asked every two seconds whether it answers. Questions that are far apart cost
both sides twice what they cost in a row, since little of what they need is in the processor's caches any more.

The manager runs with a real API server, as its own process and with the rights of its manifests, in clusters whose nodes, agents and
proxies are played: what they would write to the API server is written, kubelets' heartbeats included. Writes are counted by the
API server's audit log. A scenario has taken as long as it takes until every hub's status is right; the players and the API
server share the processors with the manager, so that times are theirs more than the manager's. Each cluster is twice as large as
the one before in hubs and in nodes, so that 4.00 is linear growth where hubs times nodes grow by 16. The Lease's writes are not among
the others.

zot could not be had where this was measured. In the runs that the targets come from it took 0.4 to 0.6 s of CPU
per GiB of a hit, 290 to 330 us for a small object, and 14.6 times as long as the upstream itself for a cold pull.
`

// Document is the page for all results.
func Document(m Machine, results []Result, contender string) string {
	var b strings.Builder
	b.WriteString(introduction)
	fmt.Fprintf(&b, "\nThe machine: %d cores, of the processor that stands below each table. Versions:", m.Cores)
	for i, name := range slices.Sorted(maps.Keys(m.Versions)) {
		b.WriteString([]string{" ", ", "}[min(i, 1)] + name + " " + m.Versions[name])
	}
	b.WriteString(".\n\n## What was to be reached\n\n")
	b.WriteString(Verdicts(results, contender))
	for _, result := range results {
		fmt.Fprintf(&b, "\n## %s\n\n%s", strings.ToUpper(result.Title[:1])+result.Title[1:], result.Table())
		if len(result.Rows) > 0 {
			fmt.Fprintf(&b, "\nMedians of %d, %s %s, %s, %s.\n", result.Runs, contender, result.Version, result.At.Format("2006-01-02"), result.Processor)
		}
	}
	return b.String()
}
