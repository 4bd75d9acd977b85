package envtest

import (
	"path/filepath"

	"github.com/registryhub/registryhub/test/rights"
)

// rolesOfTheManager are the files with all that the manager may do, what an overlay adds included.
var rolesOfTheManager = []string{
	"rbac/manager-cluster-role.yaml", "rbac/manager-role.yaml", "rbac/manager-events-role.yaml", "remedies/role.yaml", "startup-taint/cluster-role.yaml",
	"cert-manager/role.yaml", "cert-manager/cluster-role.yaml",
}

// rolesOfRegistries are the files with all that registries may do.
var rolesOfRegistries = []string{"rbac/registry-cluster-role.yaml"}

// unusedRights are those that files below config/ give and that nothing a user did made use of. What is lacking fails the
// tests by itself, since everybody runs with these rights alone.
func unusedRights(user, log string, files []string) ([]string, error) {
	var paths []string
	for _, file := range files {
		paths = append(paths, filepath.Join("..", "..", "config", file))
	}
	return rights.UnusedBy(user, log, paths...)
}
