package powerloss

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// calls are the system calls that change a disk, and those that tell what a descriptor is.
const calls = "openat,openat2,open,creat,close,dup,dup2,dup3,lseek,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate," +
	"fsync,fdatasync,sync_file_range,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat,mkdir,mkdirat," +
	"copy_file_range,sendfile,splice"

// tracer makes operations of what strace writes.
type tracer struct {
	root string
	done []operation
	// files are the nodes by path, sizes theirs.
	files map[string]int
	sizes map[int]int64
	nodes int

	// What is below belongs to one process.
	open    map[string]*descriptor
	pending map[string]call // begun, by thread
}

// descriptor is an open file, or folder, of the watched directory.
type descriptor struct {
	path   string
	node   int // 0: a folder
	offset int64
	end    bool // O_APPEND
}

// call is a system call that was begun.
type call struct {
	name, args string
	began      int
}

func newTracer(root string) *tracer {
	return &tracer{root: root, files: map[string]int{}, sizes: map[int]int64{}}
}

var (
	whole   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += +(-?\w+)`)
	begun   = regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$`)
	resumed = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += +(-?\w+)`)
)

// read adds what one process did.
func (t *tracer) read(trace string) error {
	t.open, t.pending = map[string]*descriptor{}, map[string]call{}
	for line := range strings.Lines(trace) {
		if err := t.line(strings.TrimSuffix(line, "\n")); err != nil {
			return fmt.Errorf("%w: %.200s", err, line)
		}
	}
	return nil
}

// line reads a line. A descriptor is closed when that begins, since its number may be taken again before it ends; all else
// is done when it ends.
func (t *tracer) line(line string) error {
	if m := begun.FindStringSubmatch(line); m != nil {
		t.pending[m[1]] = call{m[2], m[3], len(t.done)}
		if m[2] == "close" {
			delete(t.open, m[3])
		}
		return nil
	}
	if m := resumed.FindStringSubmatch(line); m != nil {
		c := t.pending[m[1]]
		if c.name == "close" {
			return nil
		}
		return t.ended(call{c.name, c.args + m[3], c.began}, m[4])
	}
	if m := whole.FindStringSubmatch(line); m != nil {
		return t.ended(call{m[2], m[3], len(t.done)}, m[4])
	}
	return nil // a signal, an exit
}

// ended does a call that ended with a result.
func (t *tracer) ended(c call, result string) error {
	n, err := strconv.ParseInt(result, 0, 64)
	if err != nil || n < 0 {
		return nil //nolint:nilerr // what failed did nothing
	}
	args := strings.Split(c.args, ", ")
	switch c.name {
	case "openat":
		return t.opened(args, result)
	case "mkdirat", "unlinkat":
		return t.named(c.name, args)
	case "renameat", "renameat2":
		return t.renamed(args)
	default:
		return t.byDescriptor(c, args, n)
	}
}

// byDescriptor does a call on a descriptor, which may be somebody else's.
func (t *tracer) byDescriptor(c call, args []string, n int64) error {
	d := t.open[args[0]]
	switch {
	case c.name == "sendfile" && d == nil: // to a client
		return nil
	case d == nil && !strings.Contains(c.args, t.hex()):
		return nil // somebody else's
	case c.name == "close":
		delete(t.open, args[0])
		return nil
	case d == nil:
		return fmt.Errorf("%s by name is not understood", c.name)
	}
	return t.onFile(c, d, args, n)
}

// hex is the root as strace writes it.
func (t *tracer) hex() string {
	var b strings.Builder
	for i := range len(t.root) {
		fmt.Fprintf(&b, `\x%02x`, t.root[i])
	}
	return b.String()
}

// onFile does what was done to an open file.
func (t *tracer) onFile(c call, d *descriptor, args []string, n int64) error {
	o := operation{path: d.path, node: d.node, began: c.began}
	switch c.name {
	case "lseek":
		d.offset = n
		return nil
	case "write":
		if d.end {
			d.offset = t.sizes[d.node]
		}
		o.kind, o.offset, o.data = write, d.offset, unquote(args[1])[:n]
		d.offset += n
	case "pwrite64":
		o.kind, o.data = write, unquote(args[1])[:n]
		o.offset, _ = strconv.ParseInt(args[len(args)-1], 10, 64)
	case "ftruncate":
		o.kind = cut
		o.size, _ = strconv.ParseInt(args[1], 10, 64)
		t.sizes[d.node] = o.size
	case "fsync", "fdatasync":
		o.kind = syncFile
		if d.node == 0 {
			o.kind = syncFolder
		}
	default:
		return fmt.Errorf("%s is not understood", c.name)
	}
	t.sizes[d.node] = max(t.sizes[d.node], o.offset+int64(len(o.data)))
	t.done = append(t.done, o)
	return nil
}

func (t *tracer) opened(args []string, fd string) error {
	name, inside := t.inside(args[1])
	if !inside {
		return nil
	}
	d := &descriptor{path: name, end: strings.Contains(args[2], "O_APPEND")}
	node, there := t.files[name]
	if !there && strings.Contains(args[2], "O_CREAT") {
		t.nodes++
		node, there = t.nodes, true
		t.files[name] = node
		t.done = append(t.done, operation{kind: makeFile, path: name, node: node})
	}
	if there {
		d.node = node
	}
	if there && strings.Contains(args[2], "O_TRUNC") {
		return fmt.Errorf("O_TRUNC of %s is not understood", name)
	}
	t.open[fd] = d
	return nil
}

func (t *tracer) named(call string, args []string) error {
	name, inside := t.inside(args[1])
	switch {
	case !inside && args[0] == "AT_FDCWD":
	case !inside:
		return fmt.Errorf("%s in an open folder is not understood", call)
	case call == "mkdirat":
		t.done = append(t.done, operation{kind: makeFolder, path: name})
	default:
		t.done = append(t.done, operation{kind: remove, path: name})
		delete(t.files, name)
	}
	return nil
}

func (t *tracer) renamed(args []string) error {
	from, inside := t.inside(args[1])
	if !inside {
		return nil
	}
	to, _ := t.inside(args[3])
	t.done = append(t.done, operation{kind: rename, path: from, to: to, node: t.files[from]})
	t.files[to] = t.files[from]
	delete(t.files, from)
	return nil
}

// inside is a quoted path from the root, when it is below it.
func (t *tracer) inside(quoted string) (string, bool) {
	name, err := filepath.Rel(t.root, string(unquote(quoted)))
	return name, err == nil && filepath.IsLocal(name)
}

// unquote reads a string in which strace has written every byte as \xNN.
func unquote(quoted string) []byte {
	var data []byte
	for digits := range strings.SplitSeq(strings.Trim(quoted, `"`), `\x`) {
		if b, err := strconv.ParseUint(digits, 16, 8); err == nil {
			data = append(data, byte(b))
		}
	}
	return data
}
