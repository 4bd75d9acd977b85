package v1alpha1

import (
	"bytes"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
)

// file is what the kinds of this package have in common.
type file interface {
	runtime.Object
	Default()
	Validate() error
}

// DecodeOperatorConfiguration reads the manager's file from YAML or JSON, fills in defaults and validates it.
func DecodeOperatorConfiguration(data []byte) (*OperatorConfiguration, error) {
	c := &OperatorConfiguration{}
	return c, decode(data, KindOperatorConfiguration, c)
}

// DecodeProxyConfiguration reads a proxy's file from YAML or JSON, fills in defaults and validates it.
func DecodeProxyConfiguration(data []byte) (*ProxyConfiguration, error) {
	c := &ProxyConfiguration{}
	return c, decode(data, KindProxyConfiguration, c)
}

// DecodeNodeConfiguration reads the nodes' file from YAML or JSON, fills in defaults and validates it.
func DecodeNodeConfiguration(data []byte) (*NodeConfiguration, error) {
	c := &NodeConfiguration{}
	return c, decode(data, KindNodeConfiguration, c)
}

func decode(data []byte, kind string, into file) error {
	want := GroupVersion.WithKind(kind)
	_, said, err := serializer().Decode(data, nil, into)
	if said != nil && *said != want {
		return wrongKind(want, *said)
	}
	if err != nil {
		return fmt.Errorf("reading the %s: %w", kind, err)
	}
	// An empty file decodes as anything. It must not pass for a configuration that asks for nothing.
	if got := into.GetObjectKind().GroupVersionKind(); got != want {
		return wrongKind(want, got)
	}
	into.Default()
	if err := into.Validate(); err != nil {
		return fmt.Errorf("checking the %s: %w", kind, err)
	}
	return nil
}

func wrongKind(want, got schema.GroupVersionKind) error {
	return fmt.Errorf("reading the %s: it says apiVersion %q and kind %q: want %q and %q",
		want.Kind, got.GroupVersion(), got.Kind, want.GroupVersion(), want.Kind)
}

// Encode writes a file of this package as YAML: the same bytes for the same content. It sets apiVersion and kind.
func Encode(c runtime.Object) ([]byte, error) {
	kinds, _, err := scheme().ObjectKinds(c)
	if err != nil {
		return nil, fmt.Errorf("encoding a configuration file: %w", err)
	}
	c.GetObjectKind().SetGroupVersionKind(kinds[0])
	var out bytes.Buffer
	if err := serializer().Encode(c, &out); err != nil {
		return nil, fmt.Errorf("encoding the %s: %w", kinds[0].Kind, err)
	}
	return out.Bytes(), nil
}

func serializer() *json.Serializer {
	s := scheme()
	return json.NewSerializerWithOptions(json.DefaultMetaFactory, s, s, json.SerializerOptions{Yaml: true, Strict: true})
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	s.AddKnownTypes(GroupVersion, &OperatorConfiguration{}, &ProxyConfiguration{}, &NodeConfiguration{})
	return s
}

func setDefault[S ~string](field *S, value S) {
	if *field == "" {
		*field = value
	}
}

func setDefaultDuration(field **metav1.Duration, value time.Duration) {
	if *field == nil {
		*field = &metav1.Duration{Duration: value}
	}
}

func setDefaultNumber[N int32 | int64](field **N, value N) {
	if *field == nil {
		*field = &value
	}
}
