package distspec

import (
	"net/http"
	"net/url"
	"strings"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// Namespace is the registry host that a client names in ?ns=, in lower case; "" when it names none. containerd
// adds it when it asks a mirror. It is a key to look up among the hub's hosts, never an address to dial. What is no
// host, or is there twice with different values, is *Error 400 NAME_INVALID.
func Namespace(rawQuery string) (string, error) {
	if rawQuery == "" {
		return "", nil
	}
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", invalidNamespace()
	}
	namespace := ""
	for _, value := range values["ns"] {
		value = strings.ToLower(value)
		if config.ValidateHost("ns", value) != nil || (namespace != "" && namespace != value) {
			return "", invalidNamespace()
		}
		namespace = value
	}
	return namespace, nil
}

func invalidNamespace() error {
	return NewError(http.StatusBadRequest, CodeNameInvalid, "the query's ns is not one registry host, such as docker.io")
}

// NextPage is the query of a Link header's rel="next" (RFC 8288), or "" when there is none. Only the query is taken, and
// all of it, since registries page by words of their own: where the next page is, the caller knows, and an upstream must
// not choose it.
func NextPage(link string) string {
	for entry := range strings.SplitSeq(link, ",") {
		target, parameters, _ := strings.Cut(strings.TrimSpace(entry), ">")
		target, bracketed := strings.CutPrefix(target, "<")
		if !bracketed || !isNext(parameters) {
			continue
		}
		if u, err := url.Parse(target); err == nil {
			return strings.ReplaceAll(u.RawQuery, " ", "+")
		}
	}
	return ""
}

func isNext(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, "rel") && strings.EqualFold(strings.Trim(value, `"`), "next") {
			return true
		}
	}
	return false
}

// NextLink is the Link header that leads a client to the next page of a repository's tags.
func NextLink(repository, pageQuery string) string {
	return "<" + BuildPath(Request{Kind: KindTags, Repository: repository}) + "?" + pageQuery + `>; rel="next"`
}

// NextReferrersLink is the Link header that leads a client to the next page of what refers to a manifest.
func NextReferrersLink(repository string, subject Reference, pageQuery, artifactType string) string {
	if artifactType != "" {
		pageQuery += "&" + url.Values{"artifactType": {artifactType}}.Encode()
	}
	return "<" + BuildPath(Request{Kind: KindReferrers, Repository: repository, Reference: subject}) + "?" + pageQuery + `>; rel="next"`
}
