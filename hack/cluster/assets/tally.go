package assets

import (
	"bytes"
	"strings"
	"time"
)

// reportPeriod is how often a long build says how far it is.
const reportPeriod = 30 * time.Second

// tally keeps what a program prints, and reports now and then how many lines that is.
type tally struct {
	text bytes.Buffer
	// report is called with the number of lines; without it nothing is reported.
	report   func(lines int)
	lines    int
	reported time.Time
}

// Write takes a part of what is printed.
func (t *tally) Write(part []byte) (int, error) {
	t.lines += bytes.Count(part, []byte("\n"))
	now := time.Now()
	if t.reported.IsZero() {
		t.reported = now
	}
	if t.report != nil && now.Sub(t.reported) >= reportPeriod {
		t.report(t.lines)
		t.reported = now
	}
	return t.text.Write(part)
}

// String returns what was printed.
func (t *tally) String() string { return t.text.String() }

// lastLines keeps the end of a long output, where the cause is.
func lastLines(text string) string {
	const kept = 20
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > kept {
		lines = lines[len(lines)-kept:]
	}
	return strings.Join(lines, "\n")
}
