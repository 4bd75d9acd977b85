// Command image packs one static binary into a container image, without a container engine.
//
//	go run ./hack/image --binary bin/registryhub --tag registryhub.local/registryhub:dev --output image.tar
//
// The same binary and the same flags always give the same bytes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/registryhub/registryhub/hack/image/scratch"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run builds the image the flags describe and prints its digest.
func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	spec := scratch.Spec{}
	flags.StringVar(&spec.Binary, "binary", "", "static Linux `file` to pack (required)")
	flags.StringVar(&spec.Path, "path", "/registryhub", "`path` of the binary in the image, also its entrypoint")
	flags.StringVar(&spec.User, "user", scratch.NonRoot, "`uid:gid` the image runs as")
	flags.StringVar(&spec.Architecture, "arch", runtime.GOARCH, "GOARCH the binary was built for")
	tag := flags.String("tag", "registryhub.local/registryhub:dev", "`reference` the archive gives the image")
	output := flags.String("output", "image.tar", "archive `file` to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if spec.Binary == "" {
		return errors.New("no binary given: pass --binary with a binary built by CGO_ENABLED=0 go build")
	}
	digest, err := scratch.WriteFile(spec, *tag, *output)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s %s\n", *tag, digest)
	return err
}
