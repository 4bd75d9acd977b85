package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// crd-ref-docs begins the part of a type so, and lists under "Appears in" the types whose fields have it.
	typeHeading = regexp.MustCompile(`(?m)^#### (\w+)$`)
	appearsIn   = regexp.MustCompile(`(?s)_Appears in:_\n(.*?)\n\n`)
	typeLink    = regexp.MustCompile(`- \[(\w+)\]\(#\w+\)`)
	// A part has lines left empty by what a type does not have.
	emptyLines = regexp.MustCompile(`\n{3,}`)
)

// section is the part of one type.
type section struct {
	name, text string
	// users are the types whose fields have it.
	users []string
}

// sectionsOf takes a reference of crd-ref-docs apart.
func sectionsOf(reference string) []section {
	var all []section
	at := typeHeading.FindAllStringSubmatchIndex(reference, -1)
	for i, place := range at {
		end := len(reference)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		one := section{name: reference[place[2]:place[3]], text: strings.TrimSpace(emptyLines.ReplaceAllString(reference[place[0]:end], "\n\n"))}
		if users := appearsIn.FindStringSubmatch(reference[place[0]:end]); users != nil {
			for _, user := range typeLink.FindAllStringSubmatch(users[1], -1) {
				one.users = append(one.users, user[1])
			}
		}
		all = append(all, one)
	}
	return all
}

// page is that of one kind: its own part first, and then, sorted, those of all types that it leads to. A link to another
// kind's type leads nowhere, so that only users of this page stay.
func page(kind string, all []section) (string, error) {
	if !slices.ContainsFunc(all, func(s section) bool { return s.name == kind }) {
		return "", fmt.Errorf("making the page of %s: the reference has no such type", kind)
	}
	reached := reachedFrom(kind, all)
	var text strings.Builder
	text.WriteString("# API: " + kind + "\n\nGenerated from `api/v1alpha1` by `make generate`.\n")
	for _, own := range []bool{true, false} {
		for _, one := range all {
			if reached[one.name] && (one.name == kind) == own {
				text.WriteString("\n" + strings.Replace(onlyUsers(one, reached), "#### ", "## ", 1) + "\n")
			}
		}
	}
	return text.String(), nil
}

// reachedFrom are the types that a kind's fields have, their fields, and so on, and the kind itself.
func reachedFrom(kind string, all []section) map[string]bool {
	reached := map[string]bool{kind: true}
	for grown := true; grown; {
		grown = false
		for _, one := range all {
			if !reached[one.name] && slices.ContainsFunc(one.users, func(user string) bool { return reached[user] }) {
				reached[one.name], grown = true, true
			}
		}
	}
	return reached
}

func onlyUsers(one section, reached map[string]bool) string {
	text := one.text + "\n"
	for _, user := range one.users {
		if !reached[user] {
			text = strings.Replace(text, fmt.Sprintf("- [%s](#%s)\n", user, strings.ToLower(user)), "", 1)
		}
	}
	return strings.TrimSuffix(text, "\n")
}
