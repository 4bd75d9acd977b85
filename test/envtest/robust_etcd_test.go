package envtest

import (
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// slowEtcd stands between the API server and its etcd, and can hold up what is asked of it.
type slowEtcd struct {
	net.Listener

	etcd  string
	delay atomic.Int64

	mu   sync.Mutex
	open map[net.Conn]bool
}

// putBetween has the API server of an environment reach its etcd by way of it.
func putBetween(environment *envtest.Environment) (*slowEtcd, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	etcd, err := freeAddress()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s := &slowEtcd{Listener: listener, etcd: etcd, open: map[net.Conn]bool{}}
	environment.ControlPlane.Etcd = &envtest.Etcd{URL: &url.URL{Scheme: "http", Host: etcd}}
	environment.ControlPlane.GetAPIServer().Configure().Set("etcd-servers", "http://"+listener.Addr().String())
	go s.serve()
	return s, nil
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// slow holds up each piece of what is asked of etcd, and of what it answers, for a while from now on: writes take longer, and
// what is watched is older than it could be.
func (s *slowEtcd) slow(delay time.Duration) { s.delay.Store(int64(delay)) }

// cut breaks the connections that are open, and says how many.
func (s *slowEtcd) cut() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for connection := range s.open {
		_ = connection.Close()
	}
	return len(s.open)
}

// serve relays until the listener is closed.
func (s *slowEtcd) serve() {
	for {
		asking, err := s.Accept()
		if err != nil {
			return
		}
		go s.relay(asking)
	}
}

func (s *slowEtcd) relay(asking net.Conn) {
	s.note(asking, true)
	defer s.note(asking, false)
	defer asking.Close()
	etcd, err := net.Dial("tcp", s.etcd)
	if err != nil {
		return
	}
	defer etcd.Close()
	go func() {
		_, _ = io.Copy(held{asking, &s.delay}, etcd)
		_ = asking.Close()
	}()
	_, _ = io.Copy(held{etcd, &s.delay}, asking)
}

func (s *slowEtcd) note(connection net.Conn, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.open, connection); open {
		s.open[connection] = true
	}
}

// held is a connection whose writes are held up.
type held struct {
	io.Writer

	delay *atomic.Int64
}

func (h held) Write(data []byte) (int, error) {
	if delay := time.Duration(h.delay.Load()); delay > 0 {
		<-time.After(delay)
	}
	return h.Writer.Write(data)
}
