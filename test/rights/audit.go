package rights

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

// request is a request that the API server answered, as its authorizer sees it.
type request struct {
	verb, group, resource, namespace, name string
}

// madeBy are the different requests in an audit log that a user made, or somebody in the user's name, and that were not
// refused.
func madeBy(user, log string) (map[request]bool, error) {
	file, err := os.Open(log)
	if err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	defer file.Close()
	made := map[request]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line auditLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		if line.user() != user || line.ResponseStatus.Code == http.StatusForbidden {
			continue
		}
		for _, one := range line.requests() {
			made[one] = true
		}
	}
	return made, lines.Err()
}

// auditLine is what is read of an audit.k8s.io/v1 Event.
type auditLine struct {
	Verb                   string
	User, ImpersonatedUser struct{ Username string }
	ObjectRef              struct{ APIGroup, Resource, Subresource, Namespace, Name string }
	ResponseStatus         struct{ Code int }
}

func (l auditLine) user() string {
	if l.ImpersonatedUser.Username != "" {
		return l.ImpersonatedUser.Username
	}
	return l.User.Username
}

// requests are those that the authorizer was asked about: server-side apply of what is not there needs create as well.
func (l auditLine) requests() []request {
	object := l.ObjectRef
	one := request{verb: l.Verb, group: object.APIGroup, resource: object.Resource, namespace: object.Namespace, name: object.Name}
	if object.Subresource != "" {
		one.resource += "/" + object.Subresource
	}
	if l.Verb != "patch" || l.ResponseStatus.Code != http.StatusCreated {
		return []request{one}
	}
	create := one
	create.verb, create.name = "create", ""
	return []request{one, create}
}
