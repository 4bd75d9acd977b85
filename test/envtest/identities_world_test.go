package envtest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/test/localregistry"
)

// registryAudience is whom tokens for the registry of the tests are made for.
const registryAudience = "registryhub.io/internal"

// pushed is a registry that runs in this process, and asks the API server with the rights of its manifests and no others.
type pushed struct {
	*world
	address string
	line    *wire
}

// servedAs runs a registry as a ServiceAccount of the operator's namespace.
func (w *world) servedAs(account, anonymous string) *pushed {
	w.t.Helper()
	apiServer, err := url.Parse(cluster.Host)
	w.Expect(err).NotTo(HaveOccurred())
	line := newWire(w.t, apiServer.Host)
	kubeconfig := filepath.Join(w.t.TempDir(), "kubeconfig")
	w.Expect(os.WriteFile(kubeconfig, fmt.Appendf(nil, `
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://%s", certificate-authority-data: %s}}]
users: [{name: a, user: {token: %s}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
`, line.Addr(), base64.StdEncoding.EncodeToString(cluster.CAData), w.tokenFor(namespace, account)), 0o600)).To(Succeed())
	access := fmt.Sprintf("{anonymous: %s, htpasswdFile: %q, kubernetes: {kubeconfig: %q}}", anonymous, localregistry.Users(w.t, "alice", "secret"), kubeconfig)
	return &pushed{world: w, address: localregistry.NewPlace(w.t, access).Serve(w.t), line: line}
}

// tokenFor has a token made for a ServiceAccount. Without an audience it is for the API server.
func (w *world) tokenFor(in, account string, audience ...string) string {
	w.t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audience}}
	owner := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: account}}
	w.Expect(k8s.SubResource("token").Create(ctxOf(), owner, request)).To(Succeed())
	return request.Status.Token
}

// account makes a ServiceAccount in the namespace team, and has the registry's audience in its token.
func (w *world) account(called string) (token string) {
	w.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: called}}
	w.make(account)
	return w.tokenFor("team", called, registryAudience)
}

// make makes an object that goes when the test ends.
func (w *world) make(object client.Object) {
	w.t.Helper()
	w.Expect(k8s.Create(w.t.Context(), object)).To(Succeed())
	w.t.Cleanup(func() { w.Expect(client.IgnoreNotFound(k8s.Delete(ctxOf(), object))).To(Succeed()) })
}

// team makes the namespace of those who build, once: nobody here takes a namespace away.
func (w *world) team() {
	w.t.Helper()
	team := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}}
	w.Expect(client.IgnoreAlreadyExists(k8s.Create(w.t.Context(), team))).To(Succeed())
}

// permit gives a ServiceAccount of the namespace team verbs for names, and returns what does.
func (w *world) permit(account string, verbs []string, names ...string) *rbacv1.ClusterRoleBinding {
	w.t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "may-"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"registryhub.io"}, Resources: []string{"registryhubs/repositories"}, ResourceNames: names, Verbs: verbs,
	}}}
	w.make(role)
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "team", Name: account}},
	}
	w.make(binding)
	return binding
}

func with(token string) authn.Authenticator {
	return &authn.Basic{Username: "serviceaccount", Password: token}
}

var alice = &authn.Basic{Username: "alice", Password: "secret"}

func (p *pushed) reference(image string) name.Reference {
	p.t.Helper()
	ref, err := name.ParseReference(p.address+"/"+image, name.Insecure)
	p.Expect(err).NotTo(HaveOccurred())
	return ref
}

// push, pull and remove do it as a client does, once, and return what the registry says to it: 0 for nothing against it.
func (p *pushed) push(image string, what v1.Image, who authn.Authenticator) int {
	p.t.Helper()
	return p.status(func(options ...remote.Option) error { return remote.Write(p.reference(image), what, options...) }, who)
}

func (p *pushed) pull(image string, who authn.Authenticator) int {
	p.t.Helper()
	return p.status(func(options ...remote.Option) error {
		got, err := remote.Image(p.reference(image), options...)
		if err == nil {
			_, err = got.RawConfigFile()
		}
		return err
	}, who)
}

func (p *pushed) remove(image string, who authn.Authenticator) int {
	p.t.Helper()
	return p.status(func(options ...remote.Option) error { return remote.Delete(p.reference(image), options...) }, who)
}

func (p *pushed) status(do func(...remote.Option) error, who authn.Authenticator) int {
	p.t.Helper()
	over := &http.Transport{}
	defer over.CloseIdleConnections()
	err := do(remote.WithAuth(who), remote.WithTransport(over), remote.WithContext(p.t.Context()), remote.WithRetryStatusCodes())
	if err == nil {
		return 0
	}
	said, known := errors.AsType[*transport.Error](err)
	if !known {
		p.t.Fatalf("not the registry said: %v", err)
	}
	return said.StatusCode
}

// ask sends one request, with a password or, without one, with a token of the registry's own.
func (p *pushed) ask(method, path, password, bearer string) (*http.Response, string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.address+path, nil)
	p.Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+bearer)
	if password != "" {
		request.SetBasicAuth("serviceaccount", password)
	}
	over := &http.Transport{DisableKeepAlives: true}
	response, err := over.RoundTrip(request)
	p.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	p.Expect(err).NotTo(HaveOccurred())
	return response, string(body)
}

// bearer gets a token of the registry's own for a scope.
func (p *pushed) bearer(password, scope string) string {
	p.t.Helper()
	response, body := p.ask(http.MethodGet, "/auth/token?service=registryhub&scope="+url.QueryEscape(scope), password, "")
	p.Expect(response.StatusCode).To(Equal(http.StatusOK), body)
	var answer struct {
		Token     string
		ExpiresIn int `json:"expires_in"`
	}
	p.Expect(json.Unmarshal([]byte(body), &answer)).To(Succeed())
	p.Expect(answer.ExpiresIn).To(BeNumerically("<=", 300))
	return answer.Token
}

func anImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := random.Image(1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// expiring is a token that says that it expires at another time, signed as the API server signs, or with its old signature.
func (w *world) expiring(token string, at time.Time, signed bool) string {
	w.t.Helper()
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	w.Expect(err).NotTo(HaveOccurred())
	says := map[string]any{}
	w.Expect(json.Unmarshal(payload, &says)).To(Succeed())
	says["exp"] = at.Unix()
	payload, err = json.Marshal(says)
	w.Expect(err).NotTo(HaveOccurred())
	text := parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload)
	if !signed {
		return text + "." + parts[2]
	}
	content, err := os.ReadFile(filepath.Join(server.CertDir, "sa-signer.key"))
	w.Expect(err).NotTo(HaveOccurred())
	block, _ := pem.Decode(content)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	w.Expect(err).NotTo(HaveOccurred())
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key.(*ecdsa.PrivateKey), sum[:])
	w.Expect(err).NotTo(HaveOccurred())
	signature := make([]byte, 64) // ES256 (RFC 7518, section 3.4)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// wire stands between a registry and the API server, and can be cut.
type wire struct {
	net.Listener

	to string

	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &wire{Listener: listener, to: to}
	var serving sync.WaitGroup
	serving.Go(func() { l.serve(&serving) })
	t.Cleanup(func() {
		l.cut(true)
		_ = listener.Close()
		serving.Wait()
	})
	return l
}

// cut ends every connection, and every new one at once, or mends the wire.
func (l *wire) cut(is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = is
	for _, conn := range l.conns {
		_ = conn.Close()
	}
	l.conns = nil
}

func (l *wire) serve(serving *sync.WaitGroup) {
	for {
		asking, err := l.Accept()
		if err != nil {
			return
		}
		answering, err := net.Dial("tcp", l.to)
		if err != nil || !l.hold(asking, answering) {
			_ = asking.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{asking, answering}, {answering, asking}} {
			serving.Go(func() {
				_, _ = io.Copy(way[0], way[1])
				_ = way[0].Close()
			})
		}
	}
}

// hold notes a connection, unless the wire is cut.
func (l *wire) hold(asking, answering net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut {
		_ = answering.Close()
		return false
	}
	l.conns = append(l.conns, asking, answering)
	return true
}
