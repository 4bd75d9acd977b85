package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy"
	"github.com/registryhub/registryhub/proxy/heapfloor"
)

// heapFloor is a third of what 200 transfers at once take in all, so that it adds nothing to the most that is taken.
const heapFloor = 24 << 20

// What --mode can be.
const (
	modeMirror = "mirror"
	modeLocal  = "local"
)

// proxyFlags make a ProxyConfiguration where no file does.
type proxyFlags struct {
	config          string
	mode            string
	host            string
	upstream        string
	store           string
	listen          string
	diagnostics     string
	revalidateAfter time.Duration
	dockerConfig    string
	htpasswd        string
	anonymous       string
	verbosity       int
}

func newProxyCommand() *cobra.Command {
	return new(proxyFlags).command()
}

func (f *proxyFlags) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "proxy (--config FILE | --host HOST --store DIR)",
		Short: "Serve a pull-through cache of a registry, or a registry to push to",
		Long: "Serve a pull-through cache of a registry, or a registry to push to: as a ProxyConfiguration says (--config), which\n" +
			"the operator writes for each hub, or, without a cluster, for one host as the other flags say.",
		Example: "  registryhub proxy --host docker.io --store /var/lib/registryhub\n" +
			"  registryhub proxy --mode local --host registry.internal --store /var/lib/registry --htpasswd /etc/registry/users",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "file with a ProxyConfiguration, followed while it changes; the flags below do not stand beside it")
	flags.StringVar(&f.mode, "mode", modeMirror, "mirror: a pull-through cache; local: a registry to push to")
	flags.StringVar(&f.host, "host", "", "registry host that it stands for, as image references have it, such as docker.io")
	flags.StringVar(&f.upstream, "upstream", "", "URL of the registry to fetch from (default: the host's own)")
	flags.StringVar(&f.store, "store", "", "directory that content is kept in; made when missing")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:5000", "address of the registry API")
	flags.StringVar(&f.diagnostics, "diagnostics-listen", "127.0.0.1:8080", "address of /healthz, /readyz, /configz and /metrics")
	flags.DurationVar(&f.revalidateAfter, "revalidate-after", 5*time.Minute, "how long a tag is served before the upstream is asked again")
	flags.StringVar(&f.dockerConfig, "docker-config", "", "file with upstream credentials as docker keeps them (config.json)")
	flags.StringVar(&f.htpasswd, "htpasswd", "", "mode local: file of users who may do everything, as htpasswd -B makes it")
	flags.StringVar(&f.anonymous, "anonymous", "none", "mode local: what anyone may do: none, pull, or push, which is everything")
	for _, name := range []string{"mode", "host", "upstream", "store", "listen", "diagnostics-listen", "revalidate-after", "docker-config", "htpasswd", "anonymous"} {
		cmd.MarkFlagsMutuallyExclusive("config", name)
	}
	flags.IntVarP(&f.verbosity, "verbosity", "v", 0, "0 tells what changed, 1 why, 2 each step")
	return cmd
}

func (f *proxyFlags) run(cmd *cobra.Command) error {
	server, err := f.server()
	if err != nil {
		return fmt.Errorf("starting the proxy: %w", err)
	}
	defer heapfloor.Keep(heapFloor)()
	if f.config != "" {
		defer onHangUp(server.Reload)()
	}
	return server.Run(cmd.Context())
}

func (f *proxyFlags) server() (*proxy.Server, error) {
	options := proxy.Options{Logger: newLogger(f.verbosity), Version: version}
	if f.config != "" {
		return proxy.NewFromFile(f.config, options)
	}
	cfg, err := f.configuration()
	if err != nil {
		return nil, err
	}
	return proxy.New(cfg, options)
}

// onHangUp calls reload at each SIGHUP, as one does with daemons, until the function that it returns is called.
func onHangUp(reload func()) (stop func()) {
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer close(ended)
		for range signals {
			reload()
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-ended
	}
}

// configuration makes what a file would hold from the flags: it is decoded and checked alike.
func (f *proxyFlags) configuration() (*config.ProxyConfiguration, error) {
	if f.host == "" || f.store == "" {
		return nil, errors.New("name a file with --config, or what to mirror with --host and where to keep it with --store")
	}
	if err := config.ValidateHost("--host", f.host); err != nil {
		return nil, err
	}
	file, err := f.file()
	if err != nil {
		return nil, err
	}
	data, err := config.Encode(file)
	if err != nil {
		return nil, err
	}
	return config.DecodeProxyConfiguration(data)
}

func (f *proxyFlags) file() (*config.ProxyConfiguration, error) {
	name := strings.Trim(strings.Map(nameRune, f.host), "-")
	file := &config.ProxyConfiguration{
		Hub:    name,
		Listen: config.ListenConfiguration{Registry: f.listen, Diagnostics: f.diagnostics},
		Store:  config.StoreConfiguration{Directory: f.store},
	}
	var err error
	switch f.mode {
	case modeMirror:
		file.Mirror, err = f.mirror(name)
	case modeLocal:
		file.Local, err = f.local()
	default:
		err = fmt.Errorf("--mode: %q is none of %s and %s", f.mode, modeMirror, modeLocal)
	}
	return file, err
}

func (f *proxyFlags) mirror(name string) (*config.MirrorConfiguration, error) {
	if f.htpasswd != "" || f.anonymous != "none" {
		return nil, errors.New("--htpasswd and --anonymous are for --mode local: nobody pushes to a mirror")
	}
	upstream := f.upstream
	if upstream == "" {
		upstream = config.DefaultUpstreamURL(f.host)
	}
	return &config.MirrorConfiguration{
		Hosts: []config.MirrorHost{{
			Host:      f.host,
			Upstreams: []config.UpstreamConfiguration{{Name: name, URL: upstream, DockerConfigFile: f.dockerConfig}},
		}},
		Tags: config.TagsConfiguration{RevalidateAfter: &metav1.Duration{Duration: f.revalidateAfter}},
	}, nil
}

// local is a registry to which nobody may push unless it is said who may.
func (f *proxyFlags) local() (*config.LocalConfiguration, error) {
	if f.upstream != "" || f.dockerConfig != "" {
		return nil, errors.New("--upstream and --docker-config are for --mode mirror: a registry has no upstream")
	}
	anonymous := map[string]string{"none": "None", "pull": "Pull", "push": "Push"}[f.anonymous]
	switch {
	case anonymous == "":
		return nil, fmt.Errorf("--anonymous: %q is none of none, pull and push", f.anonymous)
	case anonymous == "None" && f.htpasswd == "":
		return nil, errors.New("say who may push: name users with --htpasswd FILE, or let anyone with --anonymous push")
	}
	return &config.LocalConfiguration{Access: config.LocalAccess{Anonymous: anonymous, HtpasswdFile: f.htpasswd}}, nil
}

// nameRune makes a host the name of a hub: docker.io is docker-io.
func nameRune(r rune) rune {
	if r == '.' || r == ':' || r == '[' || r == ']' {
		return '-'
	}
	return r
}
