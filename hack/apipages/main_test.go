package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const reference = "# API Reference\n\n### Resource Types\n- [Hub](#hub)\n\n" +
	"#### Hub\n\n\n\nA hub.\n\n\n\n| Field |\n\n\n" +
	"#### HubSpec\n\n_Appears in:_\n- [Hub](#hub)\n\n| Field |\n\n" +
	"#### Name\n\n_Appears in:_\n- [HubSpec](#hubspec)\n- [Node](#node)\n\n" +
	"#### Node\n\nA node.\n"

func TestAPageHasTheKindFirstAndAllThatItLeadsTo(t *testing.T) {
	t.Parallel()
	const top = "\n\nGenerated from `api/v1alpha1` by `make generate`.\n\n"
	tests := map[string]string{
		"Hub": "# API: Hub" + top + "## Hub\n\nA hub.\n\n| Field |\n\n" +
			"## HubSpec\n\n_Appears in:_\n- [Hub](#hub)\n\n| Field |\n\n" +
			"## Name\n\n_Appears in:_\n- [HubSpec](#hubspec)\n",
		"Node": "# API: Node" + top + "## Node\n\nA node.\n\n## Name\n\n_Appears in:_\n- [Node](#node)\n",
	}
	for kind, want := range tests {
		got, err := page(kind, sectionsOf(reference))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the page of %s (-want +got):\n%s", kind, diff)
		}
	}
}

func TestAKindThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := page("Gone", sectionsOf(reference)); err == nil {
		t.Error("a page was made of nothing")
	}
}
