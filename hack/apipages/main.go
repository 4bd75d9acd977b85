// Command apipages makes a page for each kind of what crd-ref-docs writes, which is one for all.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// kinds that people meet, a page each.
var kinds = []string{"RegistryHub", "NodeMirror"}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "apipages:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: apipages REFERENCE DIRECTORY, the file that crd-ref-docs wrote and where the pages go")
	}
	reference, err := os.ReadFile(args[0])
	if err != nil {
		return fmt.Errorf("reading what crd-ref-docs wrote: %w", err)
	}
	sections := sectionsOf(string(reference))
	for _, kind := range kinds {
		text, err := page(kind, sections)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(args[1], strings.ToLower(kind)+".md"), []byte(text), 0o644); err != nil {
			return fmt.Errorf("writing the page of %s: %w", kind, err)
		}
	}
	return nil
}
