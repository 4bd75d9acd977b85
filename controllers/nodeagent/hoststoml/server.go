package hoststoml

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// writeServer writes the server and, in the root, how it is asked: containerd takes nothing of that from the mirror's table.
// Without them a mirror that is asked again would not be believed, or be waited for without a limit, and be pushed to.
func (f File) writeServer(out *bytes.Buffer) {
	for _, m := range f.Mirrors {
		if m.URL == f.Server {
			fmt.Fprintf(out, "\nserver = %s\n%s\n", quote(f.Server), strings.Join(m.pairs(), "\n"))
		}
	}
}

// checkServer refuses a root that says something else of the server than the mirror's table.
func (f File) checkServer(root table) error {
	if f.Server == "" {
		if !reflect.DeepEqual(root, table{}) {
			return errors.New("the root has keys of a server, and none is named")
		}
		return nil
	}
	server, err := root.mirror(f.Server)
	if err != nil {
		return fmt.Errorf("server %q: %w", f.Server, err)
	}
	for _, m := range f.Mirrors {
		if m.URL == f.Server && m != server {
			return fmt.Errorf("server %q is asked otherwise than the mirror of that URL", f.Server)
		}
	}
	return nil
}
