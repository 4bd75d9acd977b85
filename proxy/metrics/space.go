package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// space is how full the store is and what it gave up.
type space struct {
	capacityBytes, usedBytes   prometheus.Gauge
	capacityInodes, usedInodes prometheus.Gauge
	evictedObjects             *prometheus.CounterVec
	evictedBytes               *prometheus.CounterVec
	lastEviction               prometheus.Gauge
	elected                    prometheus.Gauge
}

func newSpace() space {
	s := space{
		capacityBytes:  gauge("store_capacity_bytes", "Bytes that the store's file system has for it."),
		usedBytes:      gauge("store_used_bytes", "Bytes of the store's file system that are taken, by whomever."),
		capacityInodes: gauge("store_capacity_inodes", "Files that the store's file system can hold; 0: no limit."),
		usedInodes:     gauge("store_used_inodes", "Files that the store's file system holds, of whomever."),
		evictedObjects: counters("evicted_objects_total", "Objects removed from the store by reason (watermark, full, idle; garbage: nothing named it).", "reason"),
		evictedBytes:   counters("evicted_bytes_total", "Bytes had back by removing objects, by reason (watermark, full, idle; garbage: nothing named it).", "reason"),
		lastEviction:   gauge("last_eviction_timestamp_seconds", "When something was last removed from the store; 0: not since the start."),
		elected:        gauge("elected", "1: of the processes that share the store it is this one that evicts, collects and scrubs; 0: another does."),
	}
	for _, reason := range []string{"watermark", "full", "idle", "garbage"} {
		s.evictedObjects.WithLabelValues(reason) // 0 is a figure too, as in upkeep
		s.evictedBytes.WithLabelValues(reason)
	}
	return s
}

func (s space) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		s.capacityBytes, s.usedBytes, s.capacityInodes, s.usedInodes, s.evictedObjects, s.evictedBytes, s.lastEviction, s.elected,
	}
}

// Space tells how full the store is: what it can have and what is taken of it, in bytes and in files (0: no limit).
func (m *Metrics) Space(capacityBytes, usedBytes, capacityInodes, usedInodes int64) {
	m.space.capacityBytes.Set(float64(capacityBytes))
	m.space.usedBytes.Set(float64(usedBytes))
	m.space.capacityInodes.Set(float64(capacityInodes))
	m.space.usedInodes.Set(float64(usedInodes))
}

// Elected tells whether this process looks after the store, of those that share it.
func (m *Metrics) Elected(elected bool) { m.space.elected.Set(truth(elected)) }

// Evicted counts what was removed from the store for one reason: watermark, full, idle or garbage.
func (m *Metrics) Evicted(reason string, objects, bytes int64, at time.Time) {
	m.space.evictedObjects.WithLabelValues(reason).Add(float64(objects))
	m.space.evictedBytes.WithLabelValues(reason).Add(float64(bytes))
	m.space.lastEviction.Set(float64(at.Unix()))
}
