package access

import (
	"testing"

	"golang.org/x/crypto/bcrypt"
)

func TestWhoIsNotThereCostsAsMuchAsWhoIs(t *testing.T) {
	users := map[string][]byte{}
	for name, cost := range map[string]int{"alice": bcrypt.MinCost, "bob": bcrypt.MinCost + 2} {
		hash, err := bcrypt.GenerateFromPassword([]byte("x"), cost)
		if err != nil {
			t.Fatal(err)
		}
		users[name] = hash
	}
	nobody, err := hashOfNobody(users)
	if err != nil {
		t.Fatal(err)
	}
	if cost, err := bcrypt.Cost(nobody); err != nil || cost != bcrypt.MinCost+2 {
		t.Errorf("the hash of nobody has the cost %d (%v), want that of the dearest user", cost, err)
	}
	h := &Htpasswd{users: users, nobody: nobody}
	if hash, known, _, err := h.hashOf("carol", "x"); known || err != nil || string(hash) != string(nobody) {
		t.Errorf("who is not there is compared with %q (%v)", hash, err)
	}
}
