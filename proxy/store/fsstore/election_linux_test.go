package fsstore_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/store/storetest"
)

func TestAnotherIsElectedWhenTheElectedIsClosed(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir), open(t, dir)
	wantElected(t, one, true)
	wantElected(t, two, false)
	one.Close()
	wantElected(t, one, false)
	wantElected(t, two, true)
	one.Close()
	wantElected(t, two, true)
}

func TestTheElectedStandsAgainWhenItsFileIsRemoved(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir), open(t, dir)
	wantElected(t, one, true)
	must(t, os.Remove(filepath.Join(dir, "evictor")))
	wantElected(t, two, true)
	wantElected(t, one, false)
}

func TestAnotherStandsInForOneThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		one, two := open(t, dir), open(t, dir)
		for range 30 {
			wantElected(t, one, true)
			wantElected(t, two, false)
			<-time.After(time.Minute)
		}
		<-time.After(8 * time.Minute)
		wantElected(t, two, false)
		<-time.After(2 * time.Minute)
		wantElected(t, two, true)
		wantElected(t, one, true)
		wantElected(t, two, false)
	})
}

func TestEachIsElectedWhereThereIsNoRoomForTheFile(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=1m,nr_inodes=16")
	if !here {
		return
	}
	one, two := open(t, dir), open(t, dir)
	var err error
	for i := 0; err == nil; i++ {
		err = os.WriteFile(filepath.Join(dir, "tmp", strconv.Itoa(i)), nil, 0o600)
	}
	wantElected(t, one, true)
	wantElected(t, two, true)
	must(t, os.Remove(filepath.Join(dir, "tmp", "0")))
	wantElected(t, one, true)
	wantElected(t, two, false)
}

func wantElected(t *testing.T, s *fsstore.Store, want bool) {
	t.Helper()
	for range 2 {
		if got := s.Elected(t.Context()); got != want {
			t.Errorf("elected: got %v, want %v", got, want)
		}
	}
}
