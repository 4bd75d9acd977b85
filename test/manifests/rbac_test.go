package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

func TestEveryRightIsListedAndJustified(t *testing.T) {
	t.Parallel()
	want := map[string][]string{}
	for _, object := range only(everyObject(t), "Role", "ClusterRole") {
		role := rbacv1.Role{}
		into(t, object, &role)
		title := role.Name + " (" + object.GetKind() + ")"
		if role.Namespace != "" {
			title = role.Name + " (" + object.GetKind() + " in " + role.Namespace + ")"
		}
		for _, rule := range role.Rules {
			want[title] = append(want[title], rowOf(rule))
		}
	}
	if len(want) < 5 {
		t.Fatalf("found %d Roles: the test looks in the wrong place", len(want))
	}
	if diff := cmp.Diff(want, documentedRights(t)); diff != "" {
		t.Errorf("docs/rbac.md and the Roles in config/ (-config +docs):\n%s", diff)
	}
}

func TestNoRightIsAWildcard(t *testing.T) {
	t.Parallel()
	for _, object := range only(everyObject(t), "Role", "ClusterRole") {
		content := asJSON(t, object)
		if strings.Contains(content, `"*"`) {
			t.Errorf("%s %s has a wildcard", object.GetKind(), object.GetName())
		}
	}
}

// rowOf are the cells of a rule but the last.
func rowOf(rule rbacv1.PolicyRule) string {
	var resources []string
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			resources = append(resources, strings.TrimSuffix(resource+"."+group, "."))
		}
	}
	var cells []string
	for _, words := range [][]string{resources, rule.ResourceNames, rule.Verbs} {
		cell := ""
		if len(words) > 0 {
			cell = "`" + strings.Join(words, " ") + "`"
		}
		cells = append(cells, cell)
	}
	return strings.Join(cells, " | ")
}

// documentedRights are the rows of docs/rbac.md by the heading they stand under, each without what it is for, which must not
// be empty.
func documentedRights(t *testing.T) map[string][]string {
	t.Helper()
	rights, title := map[string][]string{}, ""
	for line := range strings.Lines(read(t, filepath.Join(root, "docs", "rbac.md"))) {
		if heading, isHeading := strings.CutPrefix(strings.TrimSpace(line), "## "); isHeading {
			title = heading
		}
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 4 || cells[3] == "" {
			t.Fatalf("docs/rbac.md: the row %q does not say what for", line)
		}
		rights[title] = append(rights[title], strings.Join(cells[:3], " | "))
	}
	return rights
}

// everyObject is every object of every file below config/, of overlays too.
func everyObject(t *testing.T) []unstructured.Unstructured {
	t.Helper()
	var objects []unstructured.Unstructured
	err := filepath.WalkDir(filepath.Join(root, "config"), func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".yaml" {
			return err
		}
		inside, err := objectsIn([]byte(read(t, file)))
		objects = append(objects, inside...)
		return err
	})
	if err != nil {
		t.Fatalf("reading the manifests: %v", err)
	}
	return objects
}

func objectsIn(content []byte) ([]unstructured.Unstructured, error) {
	var objects []unstructured.Unstructured
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		object := unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &object.Object); err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
}
