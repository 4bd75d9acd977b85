package certsd

import "fmt"

// ForeignError says that a host has an entry in the certs directory that is not ours. It was left alone.
type ForeignError struct {
	// Host that is therefore not wired.
	Host string
	// Path of the entry.
	Path string
	// What it is, such as "a directory".
	What string
}

// Error says what a person can do.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s is %s that RegistryHub did not make, and was left alone: %s does not go through the hub on this node. "+
		"To wire it, move the entry out of the directory; the agent sees it within seconds", e.Path, e.What, e.Host)
}

// AdoptError says that somebody else's directory of a host cannot be adopted. It was left as it is.
type AdoptError struct {
	// Host that is therefore not wired.
	Host string
	// Path of the directory.
	Path string
	// Err says what is the matter with it.
	Err error
}

// Error says what a person can do.
func (e *AdoptError) Error() string {
	return fmt.Sprintf("%s cannot be adopted, and was left alone: %v. %s does not go through the hub on this node until that is put right, "+
		"or the directory is moved away", e.Path, e.Err, e.Host)
}

// Unwrap gives the cause.
func (e *AdoptError) Unwrap() error { return e.Err }
