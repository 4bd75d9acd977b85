package pullthrough

import "testing"

func TestABufferGrowsWhileItIsFilled(t *testing.T) {
	tests := map[string]struct {
		reads []int
		want  int
	}{
		"at first it is small":                      {nil, smallBuffer},
		"filled again and again it is large":        {[]int{smallBuffer, smallBuffer, smallBuffer, smallBuffer, smallBuffer, smallBuffer, smallBuffer, smallBuffer}, largeBuffer},
		"once not filled it has to be filled again": {[]int{smallBuffer, smallBuffer, smallBuffer, smallBuffer, smallBuffer, smallBuffer, smallBuffer, 1, smallBuffer}, smallBuffer},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			all := newBuffers()
			b := all.get()
			for _, n := range tc.reads {
				b.room(1 << 20)
				b.took(n)
			}
			if got := len(b.room(1 << 20)); got != tc.want {
				t.Errorf("there is room for %d bytes, want %d", got, tc.want)
			}
			b.free()
			if len(all.taken) != 0 {
				t.Errorf("%d large buffers are in use after all were freed", len(all.taken))
			}
		})
	}
}

func TestLargeBuffersAreBounded(t *testing.T) {
	all, sizes := newBuffers(), map[int]int{}
	for range maxLarge + 1 {
		b := all.get()
		defer b.free()
		b.grow()
		sizes[len(b.room(1<<20))]++
	}
	if sizes[largeBuffer] != maxLarge || sizes[smallBuffer] != 1 {
		t.Errorf("the buffers by size are %v, want %d large ones and a small one", sizes, maxLarge)
	}
}

func TestABufferHasNoMoreRoomThanIsAskedFor(t *testing.T) {
	b := newBuffers().get()
	defer b.free()
	if got := len(b.room(5)); got != 5 {
		t.Errorf("there is room for %d bytes, want 5", got)
	}
}
