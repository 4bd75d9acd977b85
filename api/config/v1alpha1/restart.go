package v1alpha1

import (
	"errors"
	"fmt"
	"strings"
)

// startField is what a proxy reads when it starts and at no other time.
type startField struct{ name, value string }

// startFields are all of those. It is the one list of them: the proxy refuses a file that changes one, and the operator
// replaces the Pod instead. A field that is not here has to be taken into force by a running proxy.
func (c *ProxyConfiguration) startFields() []startField {
	return append([]startField{
		{"hub", c.Hub},
		{"listen.registry", c.Listen.Registry},
		{"listen.diagnostics", c.Listen.Diagnostics},
		{"store.directory", c.Store.Directory},
		{"local", c.Local.startField()},
	}, c.Store.S3.startFields()...)
}

// startField is where a registry has its keys; what is a mirror has none.
func (c *LocalConfiguration) startField() string {
	if c == nil {
		return ""
	}
	return "keys in " + c.KeysDirectory
}

// NeedsRestart says which fields differ that a proxy reads only when it starts; nil when one that runs with now can go over
// to next. Defaults must be filled in.
func NeedsRestart(now, next *ProxyConfiguration) error {
	var errs []error
	wanted := next.startFields()
	for i, field := range now.startFields() {
		if field != wanted[i] {
			errs = append(errs, fmt.Errorf("%s: restart needed: it is %q while the proxy runs and cannot become %q", field.name, field.value, wanted[i].value))
		}
	}
	return errors.Join(errs...)
}

// RestartHash names what of a configuration a proxy reads only when it starts: two configurations have one hash if and only
// if NeedsRestart is nil between them. Defaults are filled in first.
func RestartHash(c *ProxyConfiguration) string {
	c = c.DeepCopy()
	c.Default()
	all := &strings.Builder{}
	for _, field := range c.startFields() {
		if field.value != "" { // a field that is new to the operator leaves the hubs that lack it as they are
			fmt.Fprintf(all, "%s=%q\n", field.name, field.value)
		}
	}
	return Hash([]byte(all.String()))
}
