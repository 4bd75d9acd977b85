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

// unusedRights are those of the manager's that nothing it did made use of. What it lacks fails the tests by itself, since it
// runs with these rights alone.
func unusedRights(log string) ([]string, error) {
	var files []string
	for _, file := range rolesOfTheManager {
		files = append(files, filepath.Join("..", "..", "config", file))
	}
	all, err := rights.Of(files...)
	if err != nil {
		return nil, err
	}
	made, err := rights.MadeBy(managerUser, log)
	return rights.Unused(all, made), err
}
