package scratch

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"path"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// rootsPath is where the CA roots are, the first place where Go looks for them.
const rootsPath = "/etc/ssl/certs/ca-certificates.crt"

const passwd = `root:x:0:0:root:/:/sbin/nologin
nonroot:x:65532:65532:nonroot:/:/sbin/nologin
`

const group = `root:x:0:
nonroot:x:65532:
`

// fixedTime is every time in an image, so that its digest depends on its content only.
var fixedTime = time.Unix(0, 0).UTC()

// layerTar returns the layer's archive: folders first, then the files, in a fixed order.
func layerTar(binaryPath string, binary []byte) ([]byte, error) {
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	for _, folder := range []tar.Header{
		{Name: "etc/", Mode: 0o755},
		{Name: "etc/ssl/", Mode: 0o755},
		{Name: "etc/ssl/certs/", Mode: 0o755},
		{Name: "tmp/", Mode: 0o1777},
	} {
		folder.Typeflag = tar.TypeDir
		if err := add(archive, folder, nil); err != nil {
			return nil, err
		}
	}
	for _, file := range []struct {
		path    string
		mode    int64
		content []byte
	}{
		{"/etc/passwd", 0o644, []byte(passwd)},
		{"/etc/group", 0o644, []byte(group)},
		{rootsPath, 0o644, roots()},
		{path.Clean("/" + binaryPath), 0o755, binary},
	} {
		header := tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(file.path, "/"), Mode: file.mode, Size: int64(len(file.content))}
		if err := add(archive, header, file.content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("closing the layer's archive: %w", err)
	}
	return buffer.Bytes(), nil
}

func add(archive *tar.Writer, header tar.Header, content []byte) error {
	header.ModTime = fixedTime
	header.Format = tar.FormatUSTAR
	if err := archive.WriteHeader(&header); err != nil {
		return fmt.Errorf("adding %s to the layer: %w", header.Name, err)
	}
	if _, err := archive.Write(content); err != nil {
		return fmt.Errorf("adding %s to the layer: %w", header.Name, err)
	}
	return nil
}

// roots returns Mozilla's CA roots as PEM. Roots that Mozilla trusts only under a condition are left
// out: a PEM file cannot carry the condition.
func roots() []byte {
	var buffer bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		buffer.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
	}
	return buffer.Bytes()
}
