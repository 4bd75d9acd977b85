package envtest

import (
	"errors"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// slowEtcd stands between the API server and its etcd, and can hold up what is asked of it.
type slowEtcd struct {
	net.Listener

	etcd   string
	delay  atomic.Int64
	broken atomic.Bool
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
	s := &slowEtcd{Listener: listener, etcd: etcd}
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

// breaks has each connection break, or no more, when something is asked over it. What was asked may have been heard or not.
func (s *slowEtcd) breaks(breaks bool) { s.broken.Store(breaks) }

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
	defer asking.Close()
	etcd, err := net.Dial("tcp", s.etcd)
	if err != nil {
		return
	}
	defer etcd.Close()
	go func() {
		_, _ = io.Copy(held{asking, s, new(atomic.Bool)}, etcd)
		_ = asking.Close()
	}()
	_, _ = io.Copy(held{etcd, s, &s.broken}, asking)
}

// held is a connection whose writes are held up, and after which it may break.
type held struct {
	io.Writer

	by     *slowEtcd
	broken *atomic.Bool
}

func (h held) Write(data []byte) (int, error) {
	if delay := time.Duration(h.by.delay.Load()); delay > 0 {
		<-time.After(delay)
	}
	n, err := h.Writer.Write(data)
	if err == nil && h.broken.Load() {
		err = errBroken
	}
	return n, err
}
