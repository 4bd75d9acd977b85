package proxy_test

import (
	"strings"
	"testing"
	"time"
)

func TestThereAreFiguresOfTheCertificateThatIsServed(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	secured := mountSecret(t, ca, time.Time{}, nil).configuration("http://127.0.0.1:1", dir, false)
	plain := configuration("http://127.0.0.1:1", dir)
	wrong := func(content string) string {
		return strings.Replace(content, "name: origin,", "name: origin, caFile: /nonexistent/ca.crt,", 1)
	}
	f := runFile(t, secured)
	want := func(served bool) {
		t.Helper()
		_, figures := get(t, f.client, "http://"+f.DiagnosticsAddr().String()+"/metrics")
		for _, name := range []string{"expiry_timestamp_seconds", "reload_failed"} {
			if got := strings.Contains(figures, "\nregistryhub_proxy_certificate_"+name+" "); got != served {
				t.Errorf("there is registryhub_proxy_certificate_%s: %v, want %v", name, got, served)
			}
		}
	}
	want(true)
	for _, step := range []struct {
		content string
		refused bool
		served  bool
	}{{wrong(plain), true, true}, {plain, false, false}, {wrong(secured), true, false}, {secured, false, true}} {
		f.write(t, step.content)
		if step.refused {
			f.await(t, "it is refused", refused(step.content))
		} else {
			f.await(t, "it is in force", inForce(step.content))
		}
		want(step.served)
	}
}
