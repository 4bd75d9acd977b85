package v1alpha1

import (
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MinMaxIdle is the shortest maxIdle: when an object was last asked for is known to the hour.
const MinMaxIdle = 2 * time.Hour

// EvictionConfiguration says when a cache gives up what it holds: the least recently used first, never what is being
// read or filled.
type EvictionConfiguration struct {
	// HighWatermarkPercent of the bytes, or of the inodes, of the file system begins an eviction. 1 to 99.
	// Default: 90.
	HighWatermarkPercent *int32 `json:"highWatermarkPercent,omitempty"`

	// LowWatermarkPercent of both ends it. 1 to 99, below the high one. Default: 80.
	LowWatermarkPercent *int32 `json:"lowWatermarkPercent,omitempty"`

	// MaxIdle is how long an object is kept that nobody asks for. At least 2h. Default: for ever.
	MaxIdle *metav1.Duration `json:"maxIdle,omitempty"`
}

func (e *EvictionConfiguration) setDefaults() {
	setDefaultNumber(&e.HighWatermarkPercent, 90)
	setDefaultNumber(&e.LowWatermarkPercent, 80)
}

// validate says what is wrong once defaults are filled in.
func (e *EvictionConfiguration) validate(field string) error {
	errs := []error{
		validatePercent(field+".highWatermarkPercent", e.HighWatermarkPercent),
		validatePercent(field+".lowWatermarkPercent", e.LowWatermarkPercent),
	}
	if e.LowWatermarkPercent != nil && e.HighWatermarkPercent != nil && *e.LowWatermarkPercent >= *e.HighWatermarkPercent {
		errs = append(errs, fmt.Errorf("%s.lowWatermarkPercent: %d is not below highWatermarkPercent, which is %d: lower it",
			field, *e.LowWatermarkPercent, *e.HighWatermarkPercent))
	}
	if e.MaxIdle != nil && e.MaxIdle.Duration < MinMaxIdle {
		errs = append(errs, fmt.Errorf("%s.maxIdle: %s is too short: give at least 2h, or leave it out to keep for ever", field, e.MaxIdle.Duration))
	}
	return errors.Join(errs...)
}

func validatePercent(field string, value *int32) error {
	if value != nil && (*value < 1 || *value > 99) {
		return fmt.Errorf("%s: %d is not from 1 to 99", field, *value)
	}
	return nil
}
