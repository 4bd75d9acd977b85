package pullthrough

import "sync"

const (
	// smallBuffer is what a transfer holds in memory: more than a TLS record, and little enough for hundreds of transfers.
	smallBuffer = 32 << 10
	// largeBuffer is what one holds whose upstream is so fast that each system call finds a small one filled.
	largeBuffer = 256 << 10
	// growAfter is how many bytes fill small buffers, and nothing but filled ones, before a large one takes their place.
	growAfter = 8 * smallBuffer
	// maxLarge bounds the large ones, over all transfers.
	maxLarge = 16
)

// buffers are what transfers and hashing read into.
type buffers struct {
	small, large sync.Pool
	// taken is by large ones in use.
	taken chan struct{}
}

func newBuffers() *buffers {
	return &buffers{
		small: sync.Pool{New: func() any { return new([smallBuffer]byte) }},
		large: sync.Pool{New: func() any { return new([largeBuffer]byte) }},
		taken: make(chan struct{}, maxLarge),
	}
}

// get returns a small one, to be freed.
func (b *buffers) get() *buffer { return &buffer{of: b} }

// buffer is one that can grow.
type buffer struct {
	of    *buffers
	small *[smallBuffer]byte
	large *[largeBuffer]byte
	full  int
}

// room is where to read to, at most so many bytes.
func (b *buffer) room(most int64) []byte {
	room := b.whole()
	return room[:min(int64(len(room)), most)]
}

func (b *buffer) whole() []byte {
	if b.large != nil {
		return b.large[:]
	}
	if b.small == nil {
		b.small = b.of.small.Get().(*[smallBuffer]byte) //nolint:forcetypeassert // the pool holds nothing else
	}
	return b.small[:]
}

// took says that so many bytes were read. What room had of them is good until then.
func (b *buffer) took(n int) {
	if b.large != nil {
		return
	}
	if b.full += n; n < smallBuffer {
		b.full = 0
	}
	if b.full >= growAfter {
		b.full = 0
		b.grow()
	}
}

// grow makes it a large one, if there may be one more.
func (b *buffer) grow() {
	select {
	case b.of.taken <- struct{}{}:
		b.free()
		b.large = b.of.large.Get().(*[largeBuffer]byte) //nolint:forcetypeassert // the pool holds nothing else
	default:
	}
}

func (b *buffer) free() {
	if b.small != nil {
		b.of.small.Put(b.small)
	}
	if b.large != nil {
		b.of.large.Put(b.large)
		<-b.of.taken
	}
	b.small, b.large = nil, nil
}
