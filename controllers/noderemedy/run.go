package noderemedy

import (
	"context"
	"fmt"
	"os"

	"github.com/go-logr/logr"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/cri"
)

// Options are the flags of a remedy. Paths are the node's.
type Options struct {
	// CertsDirectory is what containerd has to read.
	CertsDirectory string
	// Restart has containerd restarted.
	Restart bool
	Logger  logr.Logger
}

// Run mends the node whose files and processes this process sees as its own.
func Run(ctx context.Context, options Options) configv1alpha1.RemedyReport {
	remedy, closeRuntime, err := prepare(ctx, options)
	if err != nil {
		return configv1alpha1.RemedyReport{Outcome: configv1alpha1.RemedyDeclined, Message: fmt.Sprintf("nothing was changed: %v", err)}
	}
	defer closeRuntime()
	return remedy.Run(ctx)
}

func prepare(ctx context.Context, options Options) (*Remedy, func(), error) {
	layout := configv1alpha1.RuntimeLayoutOf(options.CertsDirectory)
	program, err := FindProgram(ctx, layout.Socket)
	if err != nil {
		return nil, nil, err
	}
	if program.Config != layout.ConfigFiles[0] {
		return nil, nil, fmt.Errorf("containerd was started with %s, and not with %s: set registry.config_path in it by hand", program.Config, layout.ConfigFiles[0])
	}
	socket, err := os.Stat(layout.Socket)
	if err != nil {
		return nil, nil, err
	}
	runtime, err := cri.New(layout.Socket)
	if err != nil {
		return nil, nil, err
	}
	remedy := New(program.Config, options.CertsDirectory)
	remedy.Started, remedy.Runtime, remedy.Containerd, remedy.Logger = socket.ModTime(), runtime, program, options.Logger
	remedy.setService(ctx, options, program)
	return remedy, func() { _ = runtime.Close() }, nil
}

// New is a remedy of the machine that it runs on, which still lacks what it works with.
func New(main, certsDirectory string) *Remedy {
	return &Remedy{Main: main, CertsDirectory: certsDirectory, Host: os.DirFS("/"), Logger: logr.Discard(), disk: realDisk{}}
}

func (r *Remedy) setService(ctx context.Context, options Options, program Program) {
	if !options.Restart {
		r.WithoutRestart = "Restart containerd, which brings it into force"
		return
	}
	service, err := FindSystemd(ctx, program)
	if err != nil {
		r.WithoutRestart = err.Error()
		return
	}
	r.Service = service
}
