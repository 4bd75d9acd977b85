package access

import "context"

// Stricter lets be done what two policies both let be done. Their Identities may do nothing: it is for when those cannot be asked
// about.
func Stricter(a, b Policy) Policy {
	p := Policy{Anonymous: lesser(a.Anonymous, b.Anonymous), Nodes: a.Nodes && b.Nodes, Tokens: b.Tokens}
	if a.Accounts != nil && b.Accounts != nil {
		p.Accounts = inBoth{a.Accounts, b.Accounts}
	}
	return p
}

func lesser(a, b Anonymous) Anonymous {
	for _, action := range []Action{Pull, Push} {
		if !a.may(action) {
			return a
		}
		if !b.may(action) {
			return b
		}
	}
	return a
}

// inBoth are accounts that are in two places, with one password.
type inBoth [2]Accounts

// Verify implements Accounts.
func (i inBoth) Verify(ctx context.Context, user, password string) (bool, error) {
	known, err := i[0].Verify(ctx, user, password)
	if err != nil || !known {
		return false, err
	}
	return i[1].Verify(ctx, user, password)
}
