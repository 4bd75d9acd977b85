package v1alpha1

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KindProxyConfiguration is the kind of a proxy's file.
const KindProxyConfiguration = "ProxyConfiguration"

// ProxyConfiguration is all that one proxy needs to know. The operator writes one for each hub; the flags of
// `registryhub proxy` make the same.
//
// Example:
//
//	apiVersion: config.registryhub.io/v1alpha1
//	kind: ProxyConfiguration
//	hub: docker-io
//	listen: {registry: ":5000", diagnostics: ":8080"}
//	store: {directory: /var/lib/registryhub}
//	mirror:
//	  hosts:
//	  - host: docker.io
//	    upstreams:
//	    - {name: docker-io, url: https://registry-1.docker.io}
//
// +kubebuilder:object:root=true
type ProxyConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// Hub is the name of the hub, for logs and metrics. Required.
	Hub string `json:"hub"`

	// HubUID is the UID of the hub. What a node's canary pull gets is made of it, so that no other hub can answer. Default:
	// none, and no canary is answered.
	HubUID string `json:"hubUID,omitempty"`

	// Listen says where the proxy listens.
	Listen ListenConfiguration `json:"listen,omitempty"`

	// Store says where the cache is kept.
	Store StoreConfiguration `json:"store"`

	// Mirror is set for a pull-through cache.
	Mirror *MirrorConfiguration `json:"mirror,omitempty"`

	// Local is set for a registry that is pushed to. Either it or mirror is required.
	Local *LocalConfiguration `json:"local,omitempty"`
}

// ListenConfiguration says where a proxy listens.
type ListenConfiguration struct {
	// Registry is the address that serves the registry API, host:port or :port. Default: ":5000".
	Registry string `json:"registry,omitempty"`

	// Diagnostics is the address that serves /healthz, /readyz, /configz and /metrics. Default: ":8080".
	Diagnostics string `json:"diagnostics,omitempty"`

	// TLS is what the registry API is served with. Default: plain HTTP.
	TLS *ListenTLS `json:"tls,omitempty"`
}

// StoreConfiguration says where a cache is kept.
type StoreConfiguration struct {
	// Directory of the cache; made when missing. Required. What fills its file system counts, whosever it is: give
	// it one of its own. With s3 it is the scratch space of this proxy alone, where blobs are until they are whole.
	Directory string `json:"directory"`

	// S3 is the bucket that the cache is kept in. Default: none, and the cache is in the directory.
	S3 *S3StoreConfiguration `json:"s3,omitempty"`

	// Eviction says when the cache gives up what it holds.
	Eviction EvictionConfiguration `json:"eviction,omitempty"`

	// Scrub says how the cache is read again to find what the disk let rot.
	Scrub ScrubConfiguration `json:"scrub,omitempty"`
}

// MirrorConfiguration describes a pull-through cache.
type MirrorConfiguration struct {
	// Hosts that the mirror stands for. At least one. A request's ?ns= chooses among them; without it the first is
	// meant, which "*" can never be.
	Hosts []MirrorHost `json:"hosts"`

	// AllowedHosts are the hosts that the host "*" may stand for: a host with its port where it has one, or
	// "*.example.com" for every name below it. Required with "*", and not allowed without it.
	//
	// An address that a name of it resolves to is dialled only if it is none of this machine, its link, a private
	// network or a cluster; a host that is listed exactly is dialled wherever it is.
	AllowedHosts []string `json:"allowedHosts,omitempty"`

	// FallbackRules, in order; the first that matches is used. The built-in rule for registry.k8s.io comes
	// after these.
	FallbackRules []FallbackRule `json:"fallbackRules,omitempty"`

	// Tags says how long a tag is believed.
	Tags TagsConfiguration `json:"tags,omitempty"`

	// Segments are what large blobs are fetched in.
	Segments SegmentsConfiguration `json:"segments,omitempty"`

	// Repositories says which repositories are served. Default: all.
	Repositories RepositoriesConfiguration `json:"repositories,omitempty"`

	// Prewarm is what is pulled before anybody asks for it. Default: nothing.
	Prewarm *PrewarmConfiguration `json:"prewarm,omitempty"`
}

// MirrorHost is one registry host and where its content comes from.
type MirrorHost struct {
	// Host as written in image references, with its port where it has one; or "*" for every host without an entry that
	// mirror.allowedHosts holds, each of which is its own upstream, asked without credentials.
	Host string `json:"host"`

	// Upstreams are tried in order. At least one; none for "*".
	Upstreams []UpstreamConfiguration `json:"upstreams,omitempty"`
}

// UpstreamConfiguration is one registry that content is fetched from.
type UpstreamConfiguration struct {
	// Name for logs and metrics.
	Name string `json:"name"`

	// URL of the upstream; a path is a repository prefix. http or https, no user information, query or fragment.
	URL string `json:"url"`

	// CredentialsDirectory holds a Secret's files: .dockerconfigjson, or username and password. Read at each
	// token exchange, so that a rotated Secret is used without a restart. Default: anonymous.
	CredentialsDirectory string `json:"credentialsDirectory,omitempty"`

	// DockerConfigFile holds credentials as docker keeps them (config.json). Default: none. Not beside
	// credentialsDirectory.
	DockerConfigFile string `json:"dockerConfigFile,omitempty"`

	// CAFile holds PEM certificates that are trusted for this upstream beside the public roots. A changed file is
	// used without a restart; one that has become unusable is reported, and what it held before stays trusted.
	// Default: none.
	CAFile string `json:"caFile,omitempty"`

	// ClientCertificateDirectory holds the files of a Secret of type kubernetes.io/tls: tls.crt, the certificate that
	// is shown to the upstream, and tls.key. It is shown to no other host. Changed files are used as those of caFile
	// are. Needs an https url. Default: none.
	ClientCertificateDirectory string `json:"clientCertificateDirectory,omitempty"`
}

// FallbackRule asks again under another repository name. The rule is documented at RegistryHub's
// spec.mirror.fallbackRules.
type FallbackRule struct {
	// Name of the rule, for logs and metrics.
	Name string `json:"name"`
	// OnStatus are the final statuses that the rule acts on. Default: [404].
	OnStatus []int32 `json:"onStatus,omitempty"`
	// Match is an RE2 expression for the whole client-facing repository name.
	Match string `json:"match"`
	// Rewrite is the name to ask for instead; $1 stands for the first group.
	Rewrite string `json:"rewrite"`
}

// TagsConfiguration says how long a tag is believed.
type TagsConfiguration struct {
	// RevalidateAfter is how long a tag is served without asking the upstream again. Default: 5m.
	RevalidateAfter *metav1.Duration `json:"revalidateAfter,omitempty"`
	// StaleIfError is how long past that the last known digest is served while the upstream is in trouble.
	// Default: 168h.
	StaleIfError *metav1.Duration `json:"staleIfError,omitempty"`
	// Rules give tags policies of their own; the first that matches counts. What none matches has the policy TTL
	// with revalidateAfter.
	Rules []TagRule `json:"rules,omitempty"`
}

// Default fills in what was left out.
func (c *ProxyConfiguration) Default() {
	setDefault(&c.Listen.Registry, ":5000")
	setDefault(&c.Listen.Diagnostics, ":8080")
	c.Store.Eviction.setDefaults()
	c.Store.Scrub.setDefaults()
	c.Store.S3.setDefaults()
	c.Local.setDefaults(c.Hub)
	if c.Mirror == nil {
		return
	}
	c.Mirror.Segments.setDefaults()
	if c.Mirror.Prewarm != nil {
		c.Mirror.Prewarm.setDefaults()
	}
	setDefaultDuration(&c.Mirror.Tags.RevalidateAfter, 5*time.Minute)
	setDefaultDuration(&c.Mirror.Tags.StaleIfError, 168*time.Hour)
	for i := range c.Mirror.FallbackRules {
		if len(c.Mirror.FallbackRules[i].OnStatus) == 0 {
			c.Mirror.FallbackRules[i].OnStatus = []int32{404}
		}
	}
}

// Validate says everything that is wrong with the file, each error with the field's name.
func (c *ProxyConfiguration) Validate() error {
	var errs []error
	if c.Hub == "" {
		errs = append(errs, errors.New("hub: required: name the hub"))
	}
	if c.Store.Directory == "" {
		errs = append(errs, errors.New("store.directory: required: name the directory of the cache"))
	}
	errs = append(errs, c.Listen.TLS.validate("listen.tls"), c.Store.Eviction.validate("store.eviction"), c.Store.Scrub.validate("store.scrub"),
		c.Store.S3.validate("store.s3"))
	if (c.Mirror == nil) == (c.Local == nil) {
		return errors.Join(append(errs, errors.New("mirror: required, or else local: one of the two says what the proxy is"))...)
	}
	return errors.Join(append(errs, c.Mirror.validate(), c.Local.validate("local"))...)
}

func (m *MirrorConfiguration) validate() error {
	if m == nil {
		return nil
	}
	var errs []error
	if len(m.Hosts) == 0 {
		errs = append(errs, errors.New("mirror.hosts: required: name at least one host"))
	}
	seen := map[string]bool{}
	for i, host := range m.Hosts {
		field := fmt.Sprintf("mirror.hosts[%d]", i)
		if seen[host.Host] {
			errs = append(errs, fmt.Errorf("%s.host: %q is there twice", field, host.Host))
		}
		seen[host.Host] = true
		errs = append(errs, host.validate(field))
	}
	errs = append(errs, m.validateAllowedHosts())
	for i, rule := range m.FallbackRules {
		errs = append(errs, rule.Validate(fmt.Sprintf("mirror.fallbackRules[%d]", i)))
	}
	if m.Prewarm != nil {
		errs = append(errs, m.Prewarm.Validate("mirror.prewarm", slices.Collect(maps.Keys(seen))))
	}
	errs = append(errs,
		m.Segments.validate("mirror.segments"), m.Tags.Validate("mirror.tags"), m.Repositories.Validate("mirror.repositories"))
	return errors.Join(errs...)
}

func (h MirrorHost) validate(field string) error {
	if h.Host == AnyHost {
		return h.validateAny(field)
	}
	errs := []error{ValidateHost(field+".host", h.Host)}
	if len(h.Upstreams) == 0 {
		errs = append(errs, fmt.Errorf("%s.upstreams: required: name at least one upstream", field))
	}
	for i, upstream := range h.Upstreams {
		errs = append(errs, upstream.validate(fmt.Sprintf("%s.upstreams[%d]", field, i)))
	}
	return errors.Join(errs...)
}

func (u UpstreamConfiguration) validate(field string) error {
	var errs []error
	if u.Name == "" {
		errs = append(errs, fmt.Errorf("%s.name: required", field))
	}
	if u.CredentialsDirectory != "" && u.DockerConfigFile != "" {
		errs = append(errs, fmt.Errorf("%s.dockerConfigFile: cannot stand beside credentialsDirectory", field))
	}
	if u.ClientCertificateDirectory != "" && !strings.HasPrefix(strings.ToLower(u.URL), "https:") {
		errs = append(errs, fmt.Errorf("%s.clientCertificateDirectory: needs an https url: nobody asks for a certificate without TLS", field))
	}
	return errors.Join(append(errs, ValidateUpstreamURL(field+".url", u.URL))...)
}

// ValidateUpstreamURL says what is wrong with an upstream's URL; field is what the error begins with. The error
// never holds the URL's user information.
func ValidateUpstreamURL(field, value string) error {
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return fmt.Errorf("%s: not a URL: write it like https://registry-1.docker.io", field)
	case u.User != nil:
		return fmt.Errorf("%s: must not hold user information: name a file with credentials instead", field)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("%s: %q is not an absolute http or https URL", field, value)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fmt.Errorf("%s: %q must not have a query or a fragment", field, value)
	}
	return nil
}
