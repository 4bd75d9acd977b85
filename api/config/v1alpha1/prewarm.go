package v1alpha1

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// MaxPrewarmImages is how many images a hub pulls ahead at most.
	MaxPrewarmImages = 256
	// minPrewarmEvery keeps an upstream from being asked about every image all the time.
	minPrewarmEvery = time.Minute
)

// PrewarmConfiguration says what is pulled into the cache before anybody asks for it.
type PrewarmConfiguration struct {
	// Images, as they stand in Pods, of the hosts that the mirror stands for. At most 256. Default: none.
	Images []string `json:"images,omitempty"`

	// Platforms of them, as os/architecture or os/architecture/variant. Default: all that an image has.
	Platforms []string `json:"platforms,omitempty"`

	// Every is how long after all images were looked at they are looked at again: a tag may have moved, and what was
	// evicted is fetched anew. From 1m. Default: 1h.
	Every *metav1.Duration `json:"every,omitempty"`
}

func (p *PrewarmConfiguration) setDefaults() { setDefaultDuration(&p.Every, time.Hour) }

var platform = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9_.]+)?$`)

// Validate says what is wrong. Hosts are those that images may be of; no host is refused where AnyHost is among them.
func (p *PrewarmConfiguration) Validate(field string, hosts []string) error {
	var errs []error
	if len(p.Images) > MaxPrewarmImages {
		errs = append(errs, fmt.Errorf("%s.images: there are %d: give at most %d", field, len(p.Images), MaxPrewarmImages))
	}
	for i, reference := range p.Images {
		errs = append(errs, validatePrewarmImage(fmt.Sprintf("%s.images[%d]", field, i), reference, hosts))
	}
	for i, given := range p.Platforms {
		if !platform.MatchString(given) {
			errs = append(errs, fmt.Errorf("%s.platforms[%d]: %q is no platform, such as linux/amd64 or linux/arm64/v8", field, i, given))
		}
	}
	if p.Every != nil && p.Every.Duration < minPrewarmEvery {
		errs = append(errs, fmt.Errorf("%s.every: %s is too short: give at least %s", field, p.Every.Duration, minPrewarmEvery))
	}
	return errors.Join(errs...)
}

func validatePrewarmImage(field, reference string, hosts []string) error {
	image, err := ParseImage(field, reference)
	if err != nil {
		return err
	}
	for _, host := range hosts {
		if host == AnyHost || strings.EqualFold(host, image.Host) {
			return nil
		}
	}
	return fmt.Errorf("%s: %q is of the registry %s, which the hub does not stand for", field, reference, image.Host)
}

// MaxPrewarmFailing is how many images a PrewarmReport names.
const MaxPrewarmFailing = 10

// PrewarmReport is how far a proxy is with what it pulls ahead.
type PrewarmReport struct {
	// Images is how many there are.
	Images int32 `json:"images"`

	// Warm is how many of them were in the cache, whole, when they were looked at last.
	Warm int32 `json:"warm"`

	// Failing are images that cannot be pulled, in their order. At most MaxPrewarmFailing.
	Failing []PrewarmFailure `json:"failing,omitempty"`
}

// PrewarmFailure is an image that cannot be pulled ahead.
type PrewarmFailure struct {
	// Image as it is configured.
	Image string `json:"image"`

	// Message says why. At most 256 bytes.
	Message string `json:"message"`
}
