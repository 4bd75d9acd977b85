package v1alpha1

import (
	"encoding/json"
	"fmt"
)

// RemedyMode says what is done about a node whose containerd is configured to read no hosts.toml files.
type RemedyMode string

const (
	// RemedyModeReport tells of it, and touches nothing.
	RemedyModeReport RemedyMode = "Report"
	// RemedyModeDropIn changes the configuration of the node's containerd, which comes into force when containerd is
	// restarted the next time, by whomever.
	RemedyModeDropIn RemedyMode = "DropIn"
	// RemedyModeDropInAndRestart also restarts containerd, which leaves Pods running, and undoes the change when containerd
	// does not come back.
	RemedyModeDropInAndRestart RemedyMode = "DropInAndRestart"
)

// validate also holds that there is something to go by, and that the files are where containerd's own packages have them.
func (m RemedyMode) validate(field string, agent NodeAgentConfiguration) error {
	switch m {
	case RemedyModeReport:
		return nil
	case RemedyModeDropIn, RemedyModeDropInAndRestart:
		switch _, distribution := runtimeLayouts[agent.CertsDirectory]; {
		case distribution:
			return fmt.Errorf("%s: %s is for nodes whose containerd has its files in /etc/containerd. Those of k3s, RKE2, MicroK8s and Talos are written "+
				"by the distribution: use its own way to change them, and Report", field, m)
		case agent.Canary.Enabled != nil && !*agent.Canary.Enabled:
			return fmt.Errorf("%s: %s needs nodeAgent.canary.enabled: nothing else tells which nodes lack it", field, m)
		}
		return nil
	}
	return fmt.Errorf("%s: %q is none of Report, DropIn and DropInAndRestart", field, m)
}

// RemedyOutcome says what came of a remedy.
type RemedyOutcome string

const (
	// RemedyMended means that the node's containerd has restarted with a configuration that reads hosts.toml files.
	RemedyMended RemedyOutcome = "Mended"
	// RemedyRestartPending means that its configuration reads them, from the next restart on.
	RemedyRestartPending RemedyOutcome = "RestartPending"
	// RemedyDeclined means that nothing was changed, since only a person can decide; the message says what.
	RemedyDeclined RemedyOutcome = "Declined"
	// RemedyFailed means that it was tried, and undone; or what was tried could not be undone, and the message says so.
	RemedyFailed RemedyOutcome = "Failed"
)

// RemedyReport is what the Job that mends a node says at its end, as its container's termination message.
type RemedyReport struct {
	Outcome RemedyOutcome `json:"outcome"`
	// Message says what was done, or is to be done by a person.
	Message string `json:"message"`
}

// Encode makes it one line of JSON.
func (r RemedyReport) Encode() []byte {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // two strings
	}
	return append(data, '\n')
}

// DecodeRemedyReport reads what Encode made.
func DecodeRemedyReport(data []byte) (RemedyReport, error) {
	var r RemedyReport
	if err := json.Unmarshal(data, &r); err != nil {
		return RemedyReport{}, fmt.Errorf("reading what the remedy reports: %w", err)
	}
	switch r.Outcome {
	case RemedyMended, RemedyRestartPending, RemedyDeclined, RemedyFailed:
		return r, nil
	}
	return RemedyReport{}, fmt.Errorf("reading what the remedy reports: %.64q is no outcome", r.Outcome)
}
