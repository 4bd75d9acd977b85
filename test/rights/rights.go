// Package rights compares what the manifests allow a part of RegistryHub with what it was seen to do, by the API server's
// audit log: a right that nothing made use of is one too many.
package rights

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// right is one verb for one resource, as a Role gives it.
type right struct {
	role, namespace, verb, group, resource string
	names                                  []string
}

func (r right) String() string {
	return fmt.Sprintf("%s: %s %s.%s %v", r.role, r.verb, r.resource, r.group, r.names)
}

// allows: a ClusterRole, which has no namespace, allows it everywhere.
func (r right) allows(made request) bool {
	return r.verb == made.verb && r.group == made.group && r.resource == made.resource &&
		(r.namespace == "" || r.namespace == made.namespace) &&
		(len(r.names) == 0 || slices.Contains(r.names, made.name))
}

// of are the rights that the Roles and ClusterRoles in files of manifests give. The error names the file that cannot be read.
func of(files ...string) ([]right, error) {
	var all []right
	for _, file := range files {
		manifest, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("opening a manifest: %w", err)
		}
		rights, err := in(manifest)
		_ = manifest.Close()
		if err != nil {
			return nil, fmt.Errorf("reading the rules in %s: %w", file, err)
		}
		all = append(all, rights...)
	}
	return all, nil
}

func in(manifest io.Reader) ([]right, error) {
	var all []right
	for documents := yaml.NewYAMLOrJSONDecoder(manifest, 4096); ; {
		var role rbacv1.Role // a ClusterRole's rules are read alike
		err := documents.Decode(&role)
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case role.Kind != "Role" && role.Kind != "ClusterRole":
			continue
		}
		for _, rule := range role.Rules {
			all = append(all, rightsIn(role, rule)...)
		}
	}
}

func rightsIn(role rbacv1.Role, rule rbacv1.PolicyRule) []right {
	var all []right
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				all = append(all, right{
					role: role.Name, namespace: role.Namespace, verb: verb, group: group, resource: resource, names: rule.ResourceNames,
				})
			}
		}
	}
	return all
}

// UnusedBy are the rights, as text, that files of manifests give and that no request of a user in an audit log made use of.
func UnusedBy(user, log string, files ...string) ([]string, error) {
	all, err := of(files...)
	if err != nil {
		return nil, err
	}
	made, err := madeBy(user, log)
	if err != nil {
		return nil, err
	}
	var unused []string
	for _, one := range all {
		used := false
		for each := range made {
			used = used || one.allows(each)
		}
		if !used {
			unused = append(unused, one.String())
		}
	}
	return unused, nil
}
