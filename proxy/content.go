package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/store/s3store"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// content is the store that a configuration names, and what can be done with it beside.
type content struct {
	store.Store
	directory *fsstore.Store
	bucket    *s3store.Store // nil where it is a directory
}

// openContent asks no server, so that the proxy starts while there is none.
func openContent(whole *config.ProxyConfiguration) (content, error) {
	cfg := whole.Store
	directory, err := fsstore.Open(cfg.Directory)
	if err != nil || cfg.S3 == nil {
		return content{Store: directory, directory: directory}, err
	}
	options, err := bucketOptions(cfg.S3)
	if err != nil {
		return content{}, fmt.Errorf("opening the bucket %s: %w", cfg.S3.Bucket, err)
	}
	options.Scratch = directory
	c := content{directory: directory}
	if whole.Local != nil {
		err = c.openRegistry(options)
	} else {
		c.bucket, err = s3store.Open(context.Background(), options)
		c.Store = c.bucket
	}
	if err != nil {
		return content{}, err
	}
	c.configure(cfg)
	return c, nil
}

func (c *content) openRegistry(options s3store.Options) error {
	registry, err := s3store.OpenRegistry(context.Background(), options)
	if err != nil {
		return err
	}
	c.Store, c.bucket = registry, registry.Store
	return nil
}

func bucketOptions(cfg *config.S3StoreConfiguration) (s3store.Options, error) {
	endpoint, err := url.Parse(cfg.Endpoint)
	if err != nil {
		return s3store.Options{}, err
	}
	roots, err := upstream.Roots(cfg.CAFile)
	if err != nil {
		return s3store.Options{}, err
	}
	options := s3store.Options{
		Endpoint: endpoint, Region: cfg.Region, Bucket: cfg.Bucket, Prefix: cfg.Prefix,
		Credentials: s3store.Directory(cfg.CredentialsDirectory), MaxSize: cfg.MaxSize.Value(),
		Transport: bucketTransport(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}),
	}
	if cfg.MaxScratch != nil {
		options.MaxScratch = cfg.MaxScratch.Value()
	}
	return options, nil
}

// bucketTransport has a connection for each request, since most of them are transfers; how many there are is bounded by what
// clients and fills there are.
func bucketTransport(secure *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       secure,
		TLSHandshakeTimeout:   3 * time.Second,
		ResponseHeaderTimeout: time.Minute, // of an upload's end; other requests have shorter ones of their own
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       time.Minute, // servers give an idle connection up after more
		DisableCompression:    true,
	}
}

// configure takes what of a configuration can change while the store is served from.
func (c content) configure(cfg config.StoreConfiguration) {
	if c.bucket != nil && cfg.S3 != nil {
		c.bucket.SetMaxSize(cfg.S3.MaxSize.Value())
		c.bucket.SetRedirects(cfg.S3.Redirects)
	}
}

func (c content) close() {
	if c.bucket != nil {
		c.bucket.Close()
	}
	c.directory.Close()
}
