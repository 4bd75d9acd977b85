// Command probe is what the smoke test runs in pods: a server that does what it is asked and says how
// that went. With a URL as its argument it prints what is there instead.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// accountFolder is where kubelet puts a pod's service account.
const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

func main() {
	if len(os.Args) > 1 {
		answer, err := get(context.Background(), os.Args[1], "", nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(answer)
		return
	}
	http.HandleFunc("GET /node", text(func(*http.Request) (string, error) { return os.Getenv("NODE"), nil }))
	http.HandleFunc("GET /fetch", text(fetch))
	http.HandleFunc("GET /nodes", text(listNodes))
	http.HandleFunc("GET /write", text(write))
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// text turns a function into a handler.
func text(do func(*http.Request) (string, error)) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		answer, err := do(request)
		if err != nil {
			http.Error(response, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(response, answer)
	}
}

// fetch returns what is at the URL in the query.
func fetch(request *http.Request) (string, error) {
	return get(request.Context(), request.FormValue("url"), "", nil)
}

// write creates a file in the folder of the query, and says which user it was.
func write(request *http.Request) (string, error) {
	file := filepath.Join(request.FormValue("folder"), "written")
	if err := os.WriteFile(file, []byte("written"), 0o600); err != nil {
		return "", err
	}
	return fmt.Sprintf("uid %d", os.Getuid()), nil
}

// listNodes asks the API server for the nodes, the way a client in a pod does.
func listNodes(request *http.Request) (string, error) {
	token, err := os.ReadFile(filepath.Join(accountFolder, "token"))
	if err != nil {
		return "", err
	}
	authority, err := os.ReadFile(filepath.Join(accountFolder, "ca.crt"))
	if err != nil {
		return "", err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	address := "https://" + os.Getenv("KUBERNETES_SERVICE_HOST") + ":" + os.Getenv("KUBERNETES_SERVICE_PORT")
	return get(request.Context(), address+"/api/v1/nodes", strings.TrimSpace(string(token)), roots)
}

// get returns what is at a URL. Each call makes a connection of its own, so that a Service chooses anew.
func get(ctx context.Context, url, token string, roots *x509.CertPool) (string, error) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s: %s", url, answer.Status, body)
	}
	return string(body), nil
}
