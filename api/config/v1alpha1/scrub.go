package v1alpha1

import (
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// MinScrubEvery is the shortest round of a scrub.
	MinScrubEvery = time.Hour
	// MinScrubBytesPerSecond is the slowest scrub.
	MinScrubBytesPerSecond = 1 << 20
)

// ScrubConfiguration says how a cache is read again, slowly and for ever, to find what the disk let rot.
type ScrubConfiguration struct {
	// Every is how long a round takes in which every object is read once. At least 1h; 0s: never. Default: 168h.
	Every *metav1.Duration `json:"every,omitempty"`

	// BytesPerSecond is the most that is read; a cache too large for it takes longer than a round. At least 1048576
	// (1 MiB). Default: 16777216 (16 MiB).
	BytesPerSecond *int64 `json:"bytesPerSecond,omitempty"`
}

func (s *ScrubConfiguration) setDefaults() {
	setDefaultDuration(&s.Every, 168*time.Hour)
	setDefaultNumber(&s.BytesPerSecond, 16<<20)
}

// validate says what is wrong once defaults are filled in.
func (s *ScrubConfiguration) validate(field string) error {
	var errs []error
	if s.Every != nil && s.Every.Duration != 0 && s.Every.Duration < MinScrubEvery {
		errs = append(errs, fmt.Errorf("%s.every: %s is too short: give at least 1h, or 0s to never scrub", field, s.Every.Duration))
	}
	if s.BytesPerSecond != nil && *s.BytesPerSecond < MinScrubBytesPerSecond {
		errs = append(errs, fmt.Errorf("%s.bytesPerSecond: %d is too little: give at least %d", field, *s.BytesPerSecond, MinScrubBytesPerSecond))
	}
	return errors.Join(errs...)
}
