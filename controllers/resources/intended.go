package resources

import (
	"encoding/json"
	"fmt"
)

// intended makes an apply configuration of what a spec says in the same words: the types have the same JSON. Fields that
// the spec leaves out are left out of it.
func intended[C any](given any) *C {
	data, err := json.Marshal(given)
	intent := new(C)
	if err == nil {
		err = json.Unmarshal(data, intent)
	}
	if err != nil {
		panic(fmt.Sprintf("making %T of %T: %v", intent, given, err)) // types that do not go together: a fault of the program
	}
	return intent
}
