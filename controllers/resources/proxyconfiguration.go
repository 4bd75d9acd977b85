package resources

import (
	"fmt"
	"path"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// ProxyConfiguration is the file that a hub's proxy runs with.
func ProxyConfiguration(hub *v1alpha1.RegistryHub) *configv1alpha1.ProxyConfiguration {
	return proxyConfiguration(hub, speaksBoth(hub))
}

// MovingConfiguration is the file that a hub's proxy runs with while the hub goes over to another scheme: whoever has it
// serves all that ProxyConfiguration asks for.
func MovingConfiguration(hub *v1alpha1.RegistryHub) *configv1alpha1.ProxyConfiguration {
	return proxyConfiguration(hub, true)
}

func proxyConfiguration(hub *v1alpha1.RegistryHub, both bool) *configv1alpha1.ProxyConfiguration {
	configuration := &configv1alpha1.ProxyConfiguration{
		Hub: hub.Name, HubUID: string(hub.UID),
		Listen: configv1alpha1.ListenConfiguration{
			Registry: fmt.Sprintf(":%d", RegistryPort), Diagnostics: fmt.Sprintf(":%d", DiagnosticsPort), TLS: listenTLS(hub, both),
		},
		Store: storeConfiguration(hub),
	}
	if hub.Spec.Mirror != nil {
		configuration.Mirror = mirrorConfiguration(hub)
	}
	if hub.Spec.Local != nil {
		configuration.Local = LocalConfiguration(hub)
	}
	return configuration
}

func storeConfiguration(hub *v1alpha1.RegistryHub) configv1alpha1.StoreConfiguration {
	storage := hub.Spec.Storage
	eviction := storage.Eviction
	return configv1alpha1.StoreConfiguration{
		Directory: cacheDirectory,
		S3:        bucketConfiguration(hub),
		Eviction: configv1alpha1.EvictionConfiguration{
			HighWatermarkPercent: eviction.HighWatermarkPercent, LowWatermarkPercent: eviction.LowWatermarkPercent, MaxIdle: eviction.MaxIdle,
		},
		Scrub: scrubConfiguration(storage.Scrub),
	}
}

func scrubConfiguration(scrub v1alpha1.ScrubSpec) configv1alpha1.ScrubConfiguration {
	configuration := configv1alpha1.ScrubConfiguration{Every: scrub.Every}
	if scrub.BytesPerSecond != nil {
		configuration.BytesPerSecond = new(scrub.BytesPerSecond.Value())
	}
	return configuration
}

func mirrorConfiguration(hub *v1alpha1.RegistryHub) *configv1alpha1.MirrorConfiguration {
	mirror := hub.Spec.Mirror
	return &configv1alpha1.MirrorConfiguration{
		Hosts:         mirrorHosts(hub),
		AllowedHosts:  AllowedHosts(hub),
		FallbackRules: fallbackRules(mirror.FallbackRules),
		Tags:          TagsConfiguration(mirror.Tags),
		Repositories:  RepositoriesConfiguration(mirror.Repositories),
		Segments:      configv1alpha1.SegmentsConfiguration{Size: mirror.Segments.Size, Parallel: mirror.Segments.Parallel},
		Prewarm:       PrewarmConfiguration(mirror),
	}
}

func mirrorHosts(hub *v1alpha1.RegistryHub) []configv1alpha1.MirrorHost {
	if hub.Spec.StandsForAny() {
		return []configv1alpha1.MirrorHost{{Host: configv1alpha1.AnyHost}}
	}
	hosts := make([]configv1alpha1.MirrorHost, 0, len(hub.Spec.Hosts))
	derived := Upstreams(hub)
	for i, host := range hub.Spec.Hosts {
		upstreams := specifiedConfigurations(hub.Spec.Mirror.Upstreams)
		if len(upstreams) == 0 {
			upstreams = []configv1alpha1.UpstreamConfiguration{{Name: derived[i].Name, URL: derived[i].URL}}
		}
		hosts = append(hosts, configv1alpha1.MirrorHost{Host: string(host), Upstreams: upstreams})
	}
	return hosts
}

func specifiedConfigurations(specified []v1alpha1.Upstream) []configv1alpha1.UpstreamConfiguration {
	upstreams := make([]configv1alpha1.UpstreamConfiguration, 0, len(specified))
	for _, upstream := range specified {
		configuration := configv1alpha1.UpstreamConfiguration{Name: upstream.Name, URL: upstream.URL}
		if upstream.CredentialsSecretRef != nil {
			configuration.CredentialsDirectory = path.Join(credentialsDirectory, upstream.Name)
		}
		if upstream.ClientCertificateSecretRef != nil {
			configuration.ClientCertificateDirectory = path.Join(certificateDirectory, upstream.Name)
		}
		if upstream.CABundleRef != nil {
			configuration.CAFile = path.Join(caDirectory, upstream.Name, upstream.CABundleRef.Key)
		}
		upstreams = append(upstreams, configuration)
	}
	return upstreams
}

func fallbackRules(rules []v1alpha1.FallbackRule) []configv1alpha1.FallbackRule {
	configured := make([]configv1alpha1.FallbackRule, 0, len(rules))
	for _, rule := range rules {
		configured = append(configured, configv1alpha1.FallbackRule{
			Name: rule.Name, OnStatus: rule.OnStatus, Match: rule.Match, Rewrite: rule.Rewrite,
		})
	}
	return configured
}
