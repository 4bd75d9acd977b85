package gitops

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Verdicts are what the tools say of a state.
type Verdicts struct{ Kstatus, ArgoCD, Flux string }

// State is what tells the states of the table apart, as the conditions say it: the status of Ready, whether Reconciling and
// Stalled are True, and whether the hub is suspended (its row begins so) or being deleted. The zero State is that of a spec that nobody has seen yet.
type State struct {
	Ready                                     string
	Reconciling, Stalled, Suspended, Deleting bool
}

const header = "| State | Ready | Reconciling | Stalled | kstatus (kpt) | Argo CD | Flux |"

// ReadTable reads the table of states of a page. Rows of one state must say the same.
func ReadTable(path string) (map[State]Verdicts, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	_, rows, found := strings.Cut(string(data), header+"\n")
	if !found {
		return nil, fmt.Errorf("%s has no table with the head %q", path, header)
	}
	table := map[State]Verdicts{}
	for line := range strings.Lines(rows) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if strings.HasPrefix(line, "|--") {
			continue
		}
		state, verdicts, err := readRow(line)
		if err != nil {
			return nil, fmt.Errorf("%s: row %q: %w", path, strings.TrimSpace(line), err)
		}
		if other, there := table[state]; there && other != verdicts {
			return nil, fmt.Errorf("%s: rows of the state %+v say %+v and %+v", path, state, other, verdicts)
		}
		table[state] = verdicts
	}
	return table, nil
}

func readRow(line string) (State, Verdicts, error) {
	cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
	if len(cells) != 7 {
		return State{}, Verdicts{}, errors.New("it has not seven cells")
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	verdicts := Verdicts{Kstatus: cells[4], ArgoCD: cells[5], Flux: cells[6]}
	ready, reason, _ := strings.Cut(cells[1], ", ")
	if ready != "True" && ready != "False" {
		return State{}, verdicts, nil
	}
	return State{
		Ready: ready, Deleting: reason == "`Deleting`",
		Suspended:   strings.HasPrefix(cells[0], "suspended"),
		Reconciling: strings.HasPrefix(cells[2], "True"), Stalled: strings.HasPrefix(cells[3], "True"),
	}, verdicts, nil
}
