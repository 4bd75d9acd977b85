package envtest

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// rolesOfTheManager are the files with all that the manager may do, what an overlay adds included.
var rolesOfTheManager = []string{
	"rbac/manager-cluster-role.yaml", "rbac/manager-role.yaml", "rbac/manager-events-role.yaml", "remedies/role.yaml", "startup-taint/cluster-role.yaml",
	"cert-manager/role.yaml", "cert-manager/cluster-role.yaml",
}

// unusedButNeeded are rights that no test makes use of, and why the manager has them all the same.
var unusedButNeeded = map[string]string{}

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

// rolesOfRegistries are the files with all that registries may do.
var rolesOfRegistries = []string{"rbac/registry-cluster-role.yaml"}

// needlessRights are those in files that nothing that was done made use of. What is lacking fails the tests by itself, since
// everybody runs with these rights alone.
func needlessRights(made map[request]bool, files []string) ([]string, error) {
	all, err := rightsIn(files)
	if err != nil {
		return nil, err
	}
	var needless []string
	for _, one := range all {
		used := false
		for each := range made {
			used = used || one.allows(each)
		}
		_, excused := unusedButNeeded[one.String()]
		switch {
		case !used && !excused:
			needless = append(needless, one.String()+" is never used")
		case used && excused:
			needless = append(needless, one.String()+" is used, and excused for not being used")
		}
	}
	return needless, nil
}

func rightsIn(files []string) ([]right, error) {
	var all []right
	for _, file := range files {
		objects, err := readManifest(file)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			if kind := object.GetKind(); kind != "Role" && kind != "ClusterRole" {
				continue
			}
			role := rbacv1.Role{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
				return nil, fmt.Errorf("reading the rules of %s: %w", file, err)
			}
			for _, rule := range role.Rules {
				all = append(all, rightsOf(role, rule)...)
			}
		}
	}
	return all, nil
}

func rightsOf(role rbacv1.Role, rule rbacv1.PolicyRule) []right {
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
