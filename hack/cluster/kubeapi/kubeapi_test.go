package kubeapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	serving := httptest.NewServer(handler)
	t.Cleanup(serving.Close)
	return &Client{server: serving.URL, client: serving.Client()}
}

func TestNodeReady(t *testing.T) {
	for sentence, tc := range map[string]struct {
		answer, want string
	}{
		"Ready":             {`{"status": {"conditions": [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": "True"}]}}`, ""},
		"not Ready":         {`{"status": {"conditions": [{"type": "Ready", "status": "False", "message": "no network"}]}}`, "is not Ready: no network"},
		"no condition yet":  {`{}`, "has not said yet"},
		"no sensible thing": {`<html>`, "decoding the API server's answer"},
	} {
		t.Run(sentence, func(t *testing.T) {
			client := serve(t, func(response http.ResponseWriter, request *http.Request) {
				if request.URL.Path != "/api/v1/nodes/node-1" {
					t.Errorf("asked for %s", request.URL.Path)
				}
				_, _ = response.Write([]byte(tc.answer))
			})
			err := client.NodeReady(t.Context(), "node-1")
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestErrorsSayWhatTheServerSaid(t *testing.T) {
	client := serve(t, func(response http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodDelete {
			response.WriteHeader(http.StatusNotFound)
			return
		}
		var object struct{ Kind string }
		if err := json.NewDecoder(request.Body).Decode(&object); err != nil {
			t.Error(err)
		}
		response.WriteHeader(http.StatusConflict)
		_, _ = response.Write([]byte(`{"message": "a ` + object.Kind + ` is there already"}`))
	})
	if err := client.Delete(t.Context(), "/api/v1/persistentvolumes/one"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error is %v, want ErrNotFound", err)
	}
	err := client.Create(t.Context(), "/api/v1/persistentvolumes", map[string]string{"kind": "PersistentVolume"})
	if err == nil || !strings.Contains(err.Error(), "409 Conflict: a PersistentVolume is there already") {
		t.Errorf("error is %v, want the server's message", err)
	}
}

func TestClusterIP(t *testing.T) {
	client := serve(t, func(response http.ResponseWriter, _ *http.Request) {
		_, _ = response.Write([]byte(`{"spec": {"clusterIP": "10.96.0.7"}}`))
	})
	if address, err := client.ClusterIP(t.Context(), "default", "one"); err != nil || address != "10.96.0.7" {
		t.Errorf("address is %q, %v, want 10.96.0.7", address, err)
	}
}
