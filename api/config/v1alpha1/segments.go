package v1alpha1

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
)

// MinSegmentSize is the smallest size of a segment in bytes: below it, requests cost more than connections bring.
const MinSegmentSize = 1 << 20

// SegmentsConfiguration says how a large blob is fetched over several connections, where its upstream can send parts.
type SegmentsConfiguration struct {
	// Size of a segment. A blob of less than two is fetched whole. At least 1Mi. Default: 8Mi, which is also what
	// containerd asks for where it fetches in parallel itself.
	Size *resource.Quantity `json:"size,omitempty"`

	// Parallel is how many segments of one blob are fetched at once. 1 to 16; 1: one connection for each blob.
	// Default: 4.
	Parallel *int32 `json:"parallel,omitempty"`
}

func (s *SegmentsConfiguration) setDefaults() {
	if s.Size == nil {
		s.Size = new(resource.MustParse("8Mi"))
	}
	setDefaultNumber(&s.Parallel, 4)
}

// validate says what is wrong once defaults are filled in.
func (s *SegmentsConfiguration) validate(field string) error {
	var errs []error
	if s.Size != nil && s.Size.Value() < MinSegmentSize {
		errs = append(errs, fmt.Errorf("%s.size: %s is too small: give at least 1Mi", field, s.Size))
	}
	if s.Parallel != nil && (*s.Parallel < 1 || *s.Parallel > 16) {
		errs = append(errs, fmt.Errorf("%s.parallel: %d is not from 1 to 16", field, *s.Parallel))
	}
	return errors.Join(errs...)
}
