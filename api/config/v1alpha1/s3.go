package v1alpha1

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// DefaultS3Region is what servers that know no regions answer to.
const DefaultS3Region = "us-east-1"

// S3StoreConfiguration describes a bucket that a cache is kept in. Several proxies may share one, and a prefix in it.
type S3StoreConfiguration struct {
	// Endpoint is the URL of the server: http or https, no path. Example: https://s3.eu-central-1.amazonaws.com. Required.
	Endpoint string `json:"endpoint"`

	// Region of the bucket. Default: us-east-1.
	Region string `json:"region,omitempty"`

	// Bucket, which must exist. 3 to 63 characters. Required.
	Bucket string `json:"bucket"`

	// Prefix of all keys. Default: none, and the whole bucket is the cache's.
	Prefix string `json:"prefix,omitempty"`

	// CredentialsDirectory holds the files AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN where there is
	// one. Read at each request, so that a rotated Secret is used without a restart. Required.
	CredentialsDirectory string `json:"credentialsDirectory"`

	// CAFile holds PEM certificates that are trusted for the server beside the public roots. Read when the proxy starts.
	// Default: none.
	CAFile string `json:"caFile,omitempty"`

	// MaxSize is how many bytes of objects the bucket is to hold; the watermarks of store.eviction are shares of it. At
	// least 1Mi. Required.
	MaxSize resource.Quantity `json:"maxSize"`

	// Redirects answers a client that wants more than 64 KiB with a signed URL of the bucket, good for ten minutes. Clients must
	// reach the endpoint and trust its certificate. Default: false, and everything is sent by the proxy.
	Redirects bool `json:"redirects,omitempty"`

	// MaxScratch is how many bytes fills may take of store.directory until they are uploaded; what has no room streams
	// through uncached. At least 1Mi. Default: as many as its file system has.
	MaxScratch *resource.Quantity `json:"maxScratch,omitempty"`
}

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	keyPrefix  = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)
)

func (s *S3StoreConfiguration) setDefaults() {
	if s != nil {
		setDefault(&s.Region, DefaultS3Region)
	}
}

// validate says what is wrong once defaults are filled in; nothing is of what is not there.
func (s *S3StoreConfiguration) validate(field string) error {
	if s == nil {
		return nil
	}
	errs := []error{validateS3Endpoint(field+".endpoint", s.Endpoint)}
	if !bucketName.MatchString(s.Bucket) {
		errs = append(errs, fmt.Errorf("%s.bucket: %q is no bucket's name: give 3 to 63 lower-case letters, digits, dots and hyphens", field, s.Bucket))
	}
	if s.Prefix != "" && (!keyPrefix.MatchString(s.Prefix) || strings.Contains(s.Prefix, "..") || len(s.Prefix) > 200) {
		errs = append(errs, fmt.Errorf("%s.prefix: %q is no prefix: give names of letters, digits, dots, hyphens and underscores, with slashes between them, 200 characters at most", field, s.Prefix))
	}
	if s.CredentialsDirectory == "" {
		errs = append(errs, fmt.Errorf("%s.credentialsDirectory: required: name the directory with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", field))
	}
	errs = append(errs, validateLeastSize(field+".maxSize", &s.MaxSize), validateLeastSize(field+".maxScratch", s.MaxScratch))
	return errors.Join(errs...)
}

func validateS3Endpoint(field, value string) error {
	if err := ValidateUpstreamURL(field, value); err != nil {
		return err
	}
	if u, err := url.Parse(value); err != nil || strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("%s: %q must not have a path: name the bucket in bucket", field, value)
	}
	return nil
}

func validateLeastSize(field string, size *resource.Quantity) error {
	if size != nil && size.Value() < 1<<20 {
		return fmt.Errorf("%s: %s is too small: give at least 1Mi", field, size)
	}
	return nil
}

// startFields are what a proxy reads of a bucket when it starts: all but its size and redirects.
func (s *S3StoreConfiguration) startFields() []startField {
	if s == nil {
		s = &S3StoreConfiguration{}
	}
	scratch := ""
	if s.MaxScratch != nil {
		scratch = s.MaxScratch.String()
	}
	return []startField{
		{"store.s3.endpoint", s.Endpoint},
		{"store.s3.region", s.Region},
		{"store.s3.bucket", s.Bucket},
		{"store.s3.prefix", s.Prefix},
		{"store.s3.credentialsDirectory", s.CredentialsDirectory},
		{"store.s3.caFile", s.CAFile},
		{"store.s3.maxScratch", scratch},
	}
}
