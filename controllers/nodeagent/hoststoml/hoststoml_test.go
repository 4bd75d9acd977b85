package hoststoml

import (
	"errors"
	"net"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEncodeWritesTheMarkAndTheMirrorsInOrder(t *testing.T) {
	t.Parallel()
	got, err := Encode(File{Hub: "docker-io", Revision: 9, Mirrors: []Mirror{
		{URL: "http://[fd00::7]:5000", DialTimeout: time.Second},
		{URL: "http://10.96.31.7:5000", DialTimeout: 1500 * time.Millisecond},
		{URL: "https://10.96.31.7:5000", DialTimeout: time.Second, CA: "/run/r/ca.pem", Referrers: true},
		{URL: "https://10.96.31.8:5000", DialTimeout: time.Second, CA: "/run/r/ca.pem", ClientCertificate: "/run/r/c.pem", ClientKey: "/run/r/k.pem"},
	}})
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	want := `# Written by RegistryHub for hub "docker-io", revision 9. Changes made here are undone.

[host."http://[fd00::7]:5000"]
  capabilities = ["pull", "resolve"]
  dial_timeout = "1s"

[host."http://10.96.31.7:5000"]
  capabilities = ["pull", "resolve"]
  dial_timeout = "1.5s"

[host."https://10.96.31.7:5000"]
  capabilities = ["pull", "resolve", "referrers"]
  dial_timeout = "1s"
  ca = "/run/r/ca.pem"

[host."https://10.96.31.8:5000"]
  capabilities = ["pull", "resolve"]
  dial_timeout = "1s"
  ca = "/run/r/ca.pem"
  client = [["/run/r/c.pem", "/run/r/k.pem"]]
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("Encode (-want +got):\n%s", diff)
	}
}

func TestEncodeWritesTheServerAndHowItIsAskedBeforeTheTables(t *testing.T) {
	t.Parallel()
	got, err := Encode(File{Hub: "a", Revision: 1, Server: "https://h:5000", Mirrors: []Mirror{
		{URL: "http://other:5000", DialTimeout: time.Second},
		{URL: "https://h:5000", DialTimeout: 2 * time.Second, CA: "/ca.pem", ClientCertificate: "/c.pem", ClientKey: "/k.pem"},
	}})
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	want := `# Written by RegistryHub for hub "a", revision 1. Changes made here are undone.

server = "https://h:5000"
capabilities = ["pull", "resolve"]
dial_timeout = "2s"
ca = "/ca.pem"
client = [["/c.pem", "/k.pem"]]

[host."http://other:5000"]
  capabilities = ["pull", "resolve"]
  dial_timeout = "1s"

[host."https://h:5000"]
  capabilities = ["pull", "resolve"]
  dial_timeout = "2s"
  ca = "/ca.pem"
  client = [["/c.pem", "/k.pem"]]
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("Encode (-want +got):\n%s", diff)
	}
}

func TestEncodeWritesAMirrorInLineFor1x(t *testing.T) {
	t.Parallel()
	got, err := Encode(File{Hub: "a", Revision: 1, Inline: true, Server: "https://[fd00::7]:5000", Mirrors: []Mirror{{
		URL: "https://[fd00::7]:5000", DialTimeout: time.Second, CA: "/r/ca.pem", ClientCertificate: "/r/c.pem", ClientKey: "/r/k.pem",
	}}})
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	want := `# Written by RegistryHub for hub "a", revision 1. Changes made here are undone.

server = "https://[fd00::7]:5000"
capabilities = ["pull", "resolve"]
dial_timeout = "1s"
ca = "/r/ca.pem"
client = [["/r/c.pem", "/r/k.pem"]]

[host]
  "https://[fd00::7]:5000" = {capabilities = ["pull", "resolve"], dial_timeout = "1s", ca = "/r/ca.pem", client = [["/r/c.pem", "/r/k.pem"]]}
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("Encode (-want +got):\n%s", diff)
	}
}

func TestEncodeRefusesWhatContainerdWouldNotTakeAsMeant(t *testing.T) {
	t.Parallel()
	good := Mirror{URL: "http://10.96.31.7:5000", DialTimeout: time.Second}
	for name, tc := range map[string]struct {
		file File
		want string
	}{
		"no mirror":                     {File{Hub: "h"}, "has no mirror"},
		"a server of somebody else":     {File{Hub: "h", Mirrors: []Mirror{good}, Server: "https://docker.io"}, "none of its mirrors"},
		"a mirror twice":                {File{Hub: "h", Mirrors: []Mirror{good, good}}, "there twice"},
		"a name that is not UTF-8":      {File{Hub: "\xff", Mirrors: []Mirror{good}}, "not UTF-8"},
		"a URL that is not UTF-8":       {one("http://\xff", time.Second), "not a URL"},
		"no dial timeout":               {one(good.URL, 0), "above zero"},
		"a negative dial timeout":       {one(good.URL, -1), "above zero"},
		"no scheme":                     {one("10.96.31.7:5000", time.Second), "not a"},
		"another scheme":                {one("ftp://h", time.Second), "not an absolute http or https URL"},
		"no host":                       {one("http://:5000", time.Second), "not an absolute http or https URL"},
		"a path":                        {one("http://h/prefix", time.Second), "leave the rest out"},
		"a final slash":                 {one("http://h/", time.Second), "leave the rest out"},
		"user information":              {one("http://a:b@h", time.Second), "leave the rest out"},
		"a query":                       {one("http://h?a=b", time.Second), "leave the rest out"},
		"an IPv6 address without marks": {one("http://fd00::7:5000", time.Second), "not a URL"},
		"a CA for http":                 {tlsOf("http://h", "/ca.pem", "", ""), "need an https URL"},
		"a relative CA":                 {tlsOf("https://h", "ca.pem", "", ""), "absolute path"},
		"a CA with dots":                {tlsOf("https://h", "/a/../ca.pem", "", ""), "absolute path"},
		"a certificate without a key":   {tlsOf("https://h", "", "/c.pem", ""), "go together"},
		"a key without a certificate":   {tlsOf("https://h", "", "", "/k.pem"), "go together"},
		"two mirrors in line":           {File{Hub: "h", Inline: true, Mirrors: []Mirror{good, {URL: "http://b", DialTimeout: 1}}}, "more than one mirror in line"},
		"a relative key":                {tlsOf("https://h", "", "/c.pem", "k.pem"), "absolute path"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Encode(tc.file); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Encode: %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func one(url string, timeout time.Duration) File {
	return File{Hub: "h", Mirrors: []Mirror{{URL: url, DialTimeout: timeout}}}
}

func tlsOf(url, ca, certificate, key string) File {
	return File{Hub: "h", Mirrors: []Mirror{{URL: url, DialTimeout: time.Second, CA: ca, ClientCertificate: certificate, ClientKey: key}}}
}

func TestDecodeRefusesWhatEncodeDidNotWrite(t *testing.T) {
	t.Parallel()
	first := mark("h", 1) + "\n"
	for name, tc := range map[string]struct{ data, want string }{
		"a server of its own":    {first + "server = \"https://x\"\n[host.\"http://h\"]\ncapabilities = [\"pull\",\"resolve\"]\ndial_timeout = \"1s\"\n", "none of its mirrors"},
		"a server without keys":  {first + "server = \"http://h\"\n[host.\"http://h\"]\ncapabilities = [\"pull\",\"resolve\"]\ndial_timeout = \"1s\"\n", "capabilities are"},
		"a server asked elsehow": {first + "server = \"http://h\"\ncapabilities = [\"pull\",\"resolve\"]\ndial_timeout = \"2s\"\n[host.\"http://h\"]\ncapabilities = [\"pull\",\"resolve\"]\ndial_timeout = \"1s\"\n", "is asked otherwise"},
		"keys of no server":      {first + "ca = \"/x\"\n[host.\"http://h\"]\ncapabilities = [\"pull\",\"resolve\"]\ndial_timeout = \"1s\"\n", "none is named"},
		"a key of its own":       {first + "other = \"https://x\"\n[host.\"http://h\"]\n", "strict mode"},
		"no table":               {first, "has no mirror"},
		"other capabilities":     {first + "[host.\"http://h\"]\ncapabilities = [\"push\"]\n", "capabilities are"},
		"no dial_timeout":        {first + "[host.\"http://h\"]\ncapabilities = [\"pull\",\"resolve\"]\n", "dial_timeout"},
		"a syntax error":         {first + "[host", "decoding"},
		"the same table again":   {first + "[host.\"http://h\"]\n[host.\"http://h\"]\n", "decoding"},
		"a URL that is not one":  {first + "[host.\"x\"]\ncapabilities = [\"pull\",\"resolve\"]\ndial_timeout = \"1s\"\n", "absolute"},
		"a lonely certificate":   {first + "[host.\"https://h\"]\ncapabilities = [\"pull\",\"resolve\"]\ndial_timeout = \"1s\"\nclient = [[\"/c.pem\"]]\n", "one pair"},
		"a deeper table is more": {first + "[host.\"http://h\".header]\n", "strict mode"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Decode([]byte(tc.data)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Decode: %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestOnlyOurOwnFirstLineIsOurs(t *testing.T) {
	t.Parallel()
	ours := mark("docker-io", 9)
	for name, tc := range map[string]struct {
		data string
		want bool
	}{
		"ours":                       {ours + "\n", true},
		"ours, changed below":        {ours + "\nserver = \"https://x\"\n", true},
		"ours, cut before its end":   {ours, false},
		"empty":                      {"", false},
		"k3s's":                      {"# File generated by k3s. DO NOT EDIT.\n", false},
		"the mark on another line":   {"\n" + ours + "\n", false},
		"a revision with a sign":     {strings.Replace(ours, "9", "+9", 1) + "\n", false},
		"something behind the mark":  {ours + " \n", false},
		"a name quoted another way":  {strings.ReplaceAll(ours, `"`, "`") + "\n", false},
		"a name that is not quoted":  {strings.ReplaceAll(ours, `"`, "") + "\n", false},
		"Windows' end of line":       {ours + "\r\n", false},
		"the beginning and no more":  {markBegin + "\n", false},
		"the beginning and the name": {markBegin + `"a"` + "\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, got := readMark([]byte(tc.data)); got != tc.want {
				t.Errorf("readMark says %v, want %v", got, tc.want)
			}
			if _, err := Decode([]byte(tc.data)); errors.Is(err, ErrForeign) == tc.want {
				t.Errorf("Decode: %v", err)
			}
		})
	}
}

func TestEveryFileReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := anyFile(t)
		data, err := Encode(want)
		if err != nil {
			t.Fatalf("Encode(%+v): %v", want, err)
		}
		got, err := Decode(data)
		if err != nil {
			t.Fatalf("Decode: %v\n%s", err, data)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("round trip (-want +got):\n%s", diff)
		}
	})
}

func anyFile(t *rapid.T) File {
	mirror := rapid.Custom(func(t *rapid.T) Mirror {
		m := Mirror{
			URL:         rapid.SampledFrom([]string{"http", "https"}).Draw(t, "scheme") + "://" + anyAuthority(t),
			DialTimeout: time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "timeout")),
			Referrers:   rapid.Bool().Draw(t, "referrers"),
		}
		if strings.HasPrefix(m.URL, "https:") && rapid.Bool().Draw(t, "with TLS files") {
			file := rapid.String().Filter(func(s string) bool { return path.Clean("/"+s) == "/"+s })
			m.CA, m.ClientCertificate, m.ClientKey = "/"+file.Draw(t, "ca"), "/"+file.Draw(t, "certificate"), "/"+file.Draw(t, "key")
		}
		return m
	})
	inline, most := rapid.Bool().Draw(t, "inline"), 5
	if inline {
		most = 1
	}
	f := File{
		Inline:   inline,
		Hub:      rapid.String().Draw(t, "hub"),
		Revision: rapid.Int64().Draw(t, "revision"),
		Mirrors: rapid.SliceOfNDistinct(mirror, 1, most, func(m Mirror) string { return m.URL }).
			Draw(t, "mirrors"),
	}
	if rapid.Bool().Draw(t, "with a server") {
		f.Server = rapid.SampledFrom(f.Mirrors).Draw(t, "server").URL
	}
	return f
}

func anyAuthority(t *rapid.T) string {
	port := strconv.Itoa(rapid.IntRange(1, 65535).Draw(t, "port"))
	if rapid.Bool().Draw(t, "address") {
		length := rapid.SampledFrom([]int{net.IPv4len, net.IPv6len}).Draw(t, "length")
		bytes := rapid.SliceOfN(rapid.Byte(), length, length).Draw(t, "ip")
		return net.JoinHostPort(net.IP(bytes).String(), port)
	}
	return rapid.StringMatching(`[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){0,2}`).Draw(t, "name") + ":" + port
}

func TestQuoteWritesAnyTextSoThatTOMLReadsIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.String().Filter(utf8.ValidString).Draw(t, "text")
		var got struct{ Value string }
		if err := toml.Unmarshal([]byte("value = "+quote(want)), &got); err != nil {
			t.Fatalf("%s: %v", quote(want), err)
		}
		if got.Value != want {
			t.Fatalf("%q came back as %q", want, got.Value)
		}
	})
}

// FuzzDecode: whatever lies on a node, reading it ends in an error or in a file that we could have written.
func FuzzDecode(f *testing.F) {
	good, err := Encode(one("http://10.96.31.7:5000", time.Second))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(mark("a\nb", -1) + "\n[host]\n"))
	f.Add([]byte("server = \"https://docker.io\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Encode(file)
		if err != nil {
			t.Fatalf("decoded and not encodable: %+v: %v", file, err)
		}
		if back, err := Decode(again); err != nil || !cmp.Equal(file, back) {
			t.Fatalf("decoded %+v, then %+v: %v", file, back, err)
		}
	})
}
