// Package scenario holds what is measured: a file for each family of cases.
package scenario

import (
	"context"
	"time"

	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/images"
	"github.com/registryhub/registryhub/hack/bench/origin"
	"github.com/registryhub/registryhub/hack/bench/report"
)

// The metrics that several families measure.
const (
	cpuPerGiB     = "cpuPerGiB"
	cpuPerRequest = "cpuPerRequest"
	throughput    = "throughput"
	requestRate   = "requestRate"
	p50           = "p50"
	p99           = "p99"
	total         = "total"
	firstByte     = "firstByte"
	upstreamBytes = "upstreamBytes"
	upstreamAsks  = "upstreamRequests"
	peakMemory    = "peakMemory"
)

// Bench is what the cases are measured on.
type Bench struct {
	Tree     images.Tree
	Upstream *origin.Remote
	Programs contender.Programs
	// Directory for the caches. It should be on a disk, as caches are.
	Directory string
	// Rounds is how often each case is measured, and For how long a load that has no end of its own lasts.
	Rounds int
	For    time.Duration
	// Version of our program.
	Version string
	// Step tells what is done.
	Step func(format string, args ...any)
}

// Family is a number of cases that are measured on the same servers.
type Family struct {
	// Name chooses it.
	Name       string
	Title      string
	Contenders []string
	// Start starts what is measured, where that is not a contender in a place of its own. Stop ends all that it started.
	Start func(ctx context.Context, name string, place contender.Place) (server *contender.Server, stop func() error, err error)
	// Prepare is called once for each contender, which then serves all cases. Where there is none, each measurement begins
	// with a new process and an empty cache.
	Prepare func(ctx context.Context, b *Bench, s *contender.Server) error
	Cases   []Case
	// TLS has the contenders serve over it.
	TLS bool
	// Push has them be registries that are pushed to.
	Push bool
	// Note stands in the place of cases that there are not, and says why.
	Note string
}

// Case is one row of the table.
type Case struct {
	Name, Title string
	Speed       origin.Speed
	// Rounds is how often it is measured at most, where that is less than the bench's: what is throttled varies little.
	Rounds  int
	Measure func(ctx context.Context, b *Bench, s *contender.Server) (report.Figures, error)
	// Rows says what the contenders are, where they are none: each is a row.
	Rows    string
	Columns []report.Column
	Targets []report.Target
}

// Families are all that is measured, in the order of the report.
func Families() []Family {
	return []Family{
		hits(), tls(), small(), tags(), cold(), layer(), herd(), ranges(), slow(), kills(), restart(), push(), pushToBucket(), agent(), manager(),
	}
}

// memory is the last column of most tables.
var memory = report.Column{Title: "peak memory", Metric: peakMemory, Unit: report.MiB}

// ratio is a column of a metric and one of its ratio to one contender.
func ratio(title, metric string, unit report.Unit, against string) []report.Column {
	return []report.Column{
		{Title: title, Metric: metric, Unit: unit},
		{Title: "ratio", Metric: metric, Unit: report.Ratio, Against: against},
	}
}
