package envtest

import (
	"context"
	"errors"
	"sync"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/wait"
)

// supervised is a manager that is started again whenever it dies, always with the same faults ahead of it.
type supervised struct {
	of       func(n int) fault
	finished chan error

	mu      sync.Mutex
	present *process
	faults  *faults
	skew    time.Duration // how far the next manager's clock is ahead
	ending  bool
	ended   int
	met     int
	failed  int
}

// manageWith replaces the suite's manager by one that meets faults, until the test ends.
func (w *world) manageWith(of func(n int) fault) *supervised {
	w.t.Helper()
	w.Expect(operator.stop()).To(Succeed())
	s := &supervised{of: of, finished: make(chan error, 1)}
	w.Expect(s.start()).To(Succeed())
	go func() { s.finished <- s.run() }()
	w.t.Cleanup(func() {
		s.end()
		w.Expect(<-s.finished).To(Succeed())
		w.manageAsUsual()
	})
	return s
}

// manageIn replaces the suite's manager by one in other surroundings, until the test ends.
func (w *world) manageIn(where surroundings) {
	w.t.Helper()
	w.Expect(operator.stop()).To(Succeed())
	other, err := startOperatorIn(where, operator.log)
	w.Expect(err).NotTo(HaveOccurred())
	w.t.Cleanup(func() {
		w.Expect(other.stop()).To(Succeed())
		w.manageAsUsual()
	})
}

// manageAsUsual starts the suite's manager, when none runs.
func (w *world) manageAsUsual() {
	w.t.Helper()
	var err error
	operator, err = startOperator(operator.log)
	w.Expect(err).NotTo(HaveOccurred())
}

// start starts a manager, for a moment only if the end came meanwhile.
func (s *supervised) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ahead := &faults{of: s.of, counted: map[string]int{}, died: make(chan struct{})}
	// Nothing that is waited for in these tests may be given up.
	present, err := startOperatorIn(surroundings{between: ahead.between, skew: s.skew, patience: 10 * time.Minute}, operator.log)
	if err != nil {
		return err
	}
	if s.present, s.faults = present, ahead; s.ending {
		s.present.cancel()
	}
	return nil
}

// startAgain starts a manager as a kubelet does, again and again while the API server is away.
func (s *supervised) startAgain() error {
	ctx, cancel := context.WithTimeout(ctxOf(), 2*time.Minute)
	defer cancel()
	var last error
	return errors.Join(wait.PollUntilContextCancel(ctx, time.Second, true, func(context.Context) (bool, error) {
		last = s.start()
		return last == nil, nil
	}), last)
}

// run starts the manager again until the end.
func (s *supervised) run() error {
	for {
		present, faults := s.running()
		select {
		case <-faults.died:
			if err := present.stop(); err != nil {
				return err
			}
		case err := <-present.done:
			present.log.Info("the manager has ended by itself", "error", err) // which is no matter to a kubelet
		}
		if s.hasEnded() {
			return nil
		}
		if err := s.startAgain(); err != nil {
			return err
		}
	}
}

func (s *supervised) running() (*process, *faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.present, s.faults
}

// hasEnded counts a manager that has ended, and says whether it was the last.
func (s *supervised) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.met, s.failed, s.ended = s.met+s.faults.meetings(), s.failed+s.faults.failures(), s.ended+1
	s.faults = &faults{}
	return s.ending
}

// replaceAskew ends the manager that runs. The clock of the next one is an hour from the right time, to the other side than the
// one's before.
func (s *supervised) replaceAskew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.skew = -s.skew; s.skew == 0 {
		s.skew = time.Hour
	}
	s.present.cancel()
}

func (s *supervised) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = true
	s.present.cancel()
}

// replacements are how many managers have ended.
func (s *supervised) replacements() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// failures is how many requests failed though they met no fault, of all managers so far.
func (s *supervised) failures() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed + s.faults.failures()
}

// meetings is how many writes met a fault, of all managers so far.
func (s *supervised) meetings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.met + s.faults.meetings()
}
