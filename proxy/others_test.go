package proxy

import (
	"fmt"
	"testing"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

func TestOtherHostsAreMadeOnceAndTheLeastRecentlyUsedMakesRoom(t *testing.T) {
	o := (*others)(nil).renewed(&config.MirrorConfiguration{AllowedHosts: []string{"docker.io", "*.example.com"}})
	defer o.close()
	host := func(name string) any {
		made, err := o.Host(name)
		if err != nil || made == nil {
			t.Fatalf("%s: got %v, %v", name, made, err)
		}
		if got := made.Upstreams[0].Name(); got != "*" {
			t.Fatalf("%s: its upstream is called %q in metrics", name, got)
		}
		return made
	}
	first, second := host("docker.io"), host("a.example.com")
	for i := range maxOthers - 2 {
		host(fmt.Sprintf("h%d.example.com", i))
	}
	if host("docker.io") != first {
		t.Error("a host that is kept was made again")
	}
	host("another.example.com")
	if n := len(o.hosts); n != maxOthers || o.order.Len() != maxOthers {
		t.Errorf("%d hosts are kept, %d in order, want %d", n, o.order.Len(), maxOthers)
	}
	if host("docker.io") != first {
		t.Error("the host that was just used made room")
	}
	if host("a.example.com") == second {
		t.Error("the least recently used did not make room")
	}
	if got := o.hosts["docker.io"].Value.(*other).client.Host(); got != "registry-1.docker.io" {
		t.Errorf("docker.io is asked at %s", got)
	}
	if made, err := o.Host("example.com"); made != nil || err != nil {
		t.Errorf("what is not allowed: got %v, %v", made, err)
	}
}
