package storetest

import (
	"sync"
	"testing"

	"github.com/registryhub/registryhub/proxy/store"
)

// shared are the cases of a store.Shared.
var shared = map[string]func(*testing.T, Opener){
	"one of many who stand at once is elected":   testElected,
	"who is elected stays so while others stand": testStaysElected,
}

func stander(t *testing.T, place Opener) store.Shared {
	t.Helper()
	s, ok := place().(store.Shared)
	if !ok {
		t.Fatal("the store is Shared at one time and not at another")
	}
	return s
}

func testElected(t *testing.T, place Opener) {
	var mu sync.Mutex
	var all sync.WaitGroup
	elected := 0
	for range 8 {
		s := stander(t, place)
		all.Go(func() {
			if s.Elected(t.Context()) {
				mu.Lock()
				defer mu.Unlock()
				elected++
			}
		})
	}
	all.Wait()
	equal(t, "elected of eight", elected, 1)
}

func testStaysElected(t *testing.T, place Opener) {
	one, two := stander(t, place), stander(t, place)
	for range 3 {
		equal(t, "the first to stand is elected", one.Elected(t.Context()), true)
		equal(t, "another is elected", two.Elected(t.Context()), false)
	}
}
