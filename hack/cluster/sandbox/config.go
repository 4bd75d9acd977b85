// Package sandbox runs processes in a PID, network, mount, UTS and IPC namespace of their own, under a
// small init. One sandbox is one machine of the test cluster. When its init ends, the kernel ends every
// process in it, and its mounts and interfaces go with them, so that nothing needs to be hunted down.
package sandbox

// Config is what the init of a sandbox sets up before it accepts processes.
type Config struct {
	// Hostname is the host name inside the sandbox.
	Hostname string
	// Socket is the Unix socket, in the launching machine's file system, where the init listens.
	Socket string
	// Path is the PATH of the sandbox's processes.
	Path string
	// Mounts are made in order.
	Mounts []Mount
	// Sysctls maps files below /proc/sys to the values they get.
	Sysctls map[string]string
}

// Kind says how a [Mount] is made.
type Kind string

// The kinds of mount that a sandbox knows.
const (
	// Bind shows Source, a file or a folder, at Target.
	Bind Kind = "bind"
	// SharedBind is Bind, with mounts below Target travelling on into containers and back.
	SharedBind Kind = "shared-bind"
	// Tmpfs puts an empty file system in memory over Target.
	Tmpfs Kind = "tmpfs"
	// Overlay keeps what is at Target visible, and sends changes to the folder Source.
	Overlay Kind = "overlay"
)

// Mount is one private mount of a sandbox. A missing Target below an earlier mount is created.
type Mount struct {
	Kind   Kind
	Source string
	Target string
	// Work is the work folder of an Overlay, on the file system of Source.
	Work string
}

// Process is one program that a sandbox runs.
type Process struct {
	// Name is how the process is spoken of, unique in its sandbox.
	Name string
	// Args are the program and its arguments; the program is looked up in the sandbox's PATH.
	Args []string
	// Env is added to PATH and HOME, which every process has.
	Env []string
	// Log is the file inside the sandbox that receives both outputs.
	Log string
}

// State is how a process is doing.
type State struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	// Ended says how a process that no longer runs came to its end.
	Ended string `json:"ended,omitempty"`
}
