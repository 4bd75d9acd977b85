package pullthrough

import (
	"strconv"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

func TestNamesThatCouldNotBeWrittenAreBounded(t *testing.T) {
	t.Parallel()
	var names unwritten
	repository := store.Repository{Host: "registry.test", Name: "coredns"}
	of := func(i int) digest.Digest { return digest.FromString(strconv.Itoa(i)) }
	for i := range maxUnwritten + 1 {
		link := store.Link{Digest: of(i), Effective: "coredns/coredns"}
		names.add(repository, []store.Link{link, link, {Digest: of(-i - 1), Effective: "coredns"}})
	}
	for i, want := range map[int]string{0: "coredns", 1: "coredns/coredns", maxUnwritten: "coredns/coredns", -1: "coredns"} {
		if got := names.name(repository, of(i)); got != want {
			t.Errorf("the name of %d: got %q, want %q", i, got, want)
		}
	}
	if got := names.name(store.Repository{Host: "other.test", Name: "coredns"}, of(1)); got != "coredns" {
		t.Errorf("of another host: got %q", got)
	}
	if len(names.effective) != maxUnwritten || len(names.oldest) != maxUnwritten {
		t.Errorf("remembered: %d names in %d places, want %d", len(names.effective), len(names.oldest), maxUnwritten)
	}
}
