package metrics

import "github.com/prometheus/client_golang/prometheus"

// Found says how a damaged object was noticed.
type Found string

// The ways.
const (
	// Asked for: it was truncated, which is seen when it is opened.
	Asked Found = "asked"
	// Scrubbed: its bytes had another digest, or could not be read.
	Scrubbed Found = "scrubbed"
)

// upkeep is how well the store is.
type upkeep struct {
	writable        prometheus.Gauge
	damaged         *prometheus.CounterVec
	scrubbedObjects prometheus.Counter
	scrubbedBytes   prometheus.Counter
	forgotten       prometheus.Counter
}

func newUpkeep() upkeep {
	u := upkeep{
		writable:        gauge("store_writable", "1 while the store can be written, 0 while it is read-only, without any room, or failing."),
		damaged:         counters("damaged_objects_total", "Objects found damaged and put aside, by how they were found (asked, scrubbed).", "found"),
		scrubbedObjects: counter("scrubbed_objects_total", "Objects whose bytes were hashed again, those found damaged included."),
		scrubbedBytes:   counter("scrubbed_bytes_total", "Bytes of objects that were hashed again."),
		forgotten:       counter("forgotten_names_total", "Links and tags removed from the store because they led to nothing that it has."),
	}
	for _, found := range []Found{Asked, Scrubbed} {
		u.damaged.WithLabelValues(string(found)) // 0 is a figure too: an increase of what was never there is none
	}
	return u
}

func (u upkeep) collectors() []prometheus.Collector {
	return []prometheus.Collector{u.writable, u.damaged, u.scrubbedObjects, u.scrubbedBytes, u.forgotten}
}

// Writable tells whether the store can be written.
func (m *Metrics) Writable(writable bool) {
	m.upkeep.writable.Set(truth(writable))
}

// Damaged counts an object that was found damaged and put aside.
func (m *Metrics) Damaged(found Found) { m.upkeep.damaged.WithLabelValues(string(found)).Inc() }

// Scrubbed counts an object of so many bytes that was hashed again.
func (m *Metrics) Scrubbed(bytes int64) {
	m.upkeep.scrubbedObjects.Inc()
	m.upkeep.scrubbedBytes.Add(float64(bytes))
}

// Forgotten counts links and tags that were removed from the store because they led to nothing.
func (m *Metrics) Forgotten(names int64) { m.upkeep.forgotten.Add(float64(names)) }
