package kube

import "strings"

// maxFolders is how many folders, from the outermost, a right can be for everything below of. It bounds what is asked about a
// name, which may have a hundred of them.
const maxFolders = 4

// names are those that a right to do something in a hub's repository can have, the most exact first: RBAC compares the names of
// its rules as they are, so that a * is no more than a character to it.
//
//	a/b/c of hub: hub:a/b/c, hub:a/b/*, hub:a/*, hub:*
func names(hub, repository string) []string {
	var folders []string
	for i := range len(repository) {
		if repository[i] == '/' && len(folders) < maxFolders {
			folders = append(folders, repository[:i+1])
		}
	}
	all := []string{hub + ":" + repository}
	for i := len(folders) - 1; i >= 0; i-- {
		all = append(all, hub+":"+folders[i]+"*")
	}
	return append(all, hub+":*")
}

// anyOf are names for a person to read.
func anyOf(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
