package configfile

import (
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// watch is what the kernel tells of the file's directory: the file itself may be a link, whose target goes away.
type watch struct {
	changed chan struct{}
	close   func()
}

// watch begins a watch. A node has few inotify instances, so that there may be none left: the watch then tells nothing.
func (f *Follower) watch() watch {
	w := watch{changed: make(chan struct{}, 1), close: func() {}}
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		ended := make(chan struct{})
		w.close = func() {
			_ = watcher.Close() // it was only read from
			<-ended
		}
		go func() {
			defer close(ended)
			w.pass(watcher)
		}()
		err = watcher.Add(filepath.Dir(f.File))
	}
	if err != nil {
		f.Logger.Info("file is not watched, only looked at now and then", "file", f.File, "every", f.Every.String(), "error", err.Error())
	}
	return w
}

// pass passes events on until the watcher is closed. An error means that events were lost, so it is one as well.
func (w watch) pass(watcher *fsnotify.Watcher) {
	for open := true; open; {
		select {
		case _, open = <-watcher.Events:
		case _, open = <-watcher.Errors:
		}
		select {
		case w.changed <- struct{}{}:
		default: // one is waiting already
		}
	}
}
