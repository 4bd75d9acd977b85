package report

import "fmt"

// Unit says how a value is written.
type Unit string

// The units.
const (
	// Ratio of two values.
	Ratio Unit = "x"
	// Seconds, SecondsPerGiB, Milliseconds and Microseconds are written from seconds.
	Seconds       Unit = "s"
	SecondsPerGiB Unit = "s/GiB"
	Milliseconds  Unit = "ms"
	Microseconds  Unit = "us"
	// MiB is written from bytes, GiBPerSecond from bytes a second.
	MiB          Unit = "MiB"
	GiBPerSecond Unit = "GiB/s"
	// Percent is written from a share, 0.01 for 1 %.
	Percent Unit = "%"
	// Count is a number of things, or of things a second.
	Count Unit = "count"
)

func (u Unit) format(value float64) string {
	switch u {
	case Ratio:
		return fmt.Sprintf("%.2f", value)
	case SecondsPerGiB:
		return fmt.Sprintf("%.3f s", value)
	case Milliseconds:
		return fmt.Sprintf("%.1f ms", value*1e3)
	case Microseconds:
		return fmt.Sprintf("%.1f us", value*1e6)
	case MiB:
		return fmt.Sprintf("%.1f MiB", value/(1<<20))
	case GiBPerSecond:
		return fmt.Sprintf("%.2f GiB/s", value/(1<<30))
	case Percent:
		return fmt.Sprintf("%.2f %%", value*100)
	case Count:
		return fmt.Sprintf("%.0f", value)
	default:
		return fmt.Sprintf("%.2f s", value)
	}
}
