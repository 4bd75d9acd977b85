package certsd

// Desired is what a certs directory is to lead to.
type Desired struct {
	// Hosts have these files. Every other host has none of ours.
	Hosts map[string]Files

	// Adopt are the hosts that may stand before a directory which somebody else wrote for them, and what they make of it. The
	// original is kept in .registryhub#theirs, and put back as it was when the host is not desired any more, or does not adopt.
	// Default: the host fails, and theirs is left alone.
	Adopt map[string]Adopt

	// Lasting are the hosts whose files outlive a reboot and a loss of power. Default: what we wrote ends with the run
	// directory.
	Lasting []string

	// Elsewhere are the directories in which containerd would look for a host after the certs directory, by host. A desired
	// AnyHost would hide them; each gets a link that leads to where it was before, unless it is desired itself or has somebody
	// else's directory here. Where that cannot be made AnyHost is not wired.
	Elsewhere map[string]string
}
