package origin

import "fmt"

// Fault is a way to answer wrongly.
type Fault struct {
	Name string
	// Bend changes an answer.
	Bend func(*Answer)
	// Refuses means that no connection is accepted while a rule with this fault stands, whatever it is for.
	Refuses bool
	// OfBodies means that HEAD is not concerned.
	OfBodies bool
	// OfRanges means that requests without a range are not concerned.
	OfRanges bool
}

// Always is the Times of a Rule that never ends.
const Always = 0

// Rule says when a fault acts.
type Rule struct {
	Fault Fault
	For   Kind
	// Times is how many answers are bent, Always or 1 and more.
	Times int
}

// Name is how the rule is written in a table.
func (r Rule) Name() string {
	times := "always"
	if r.Times == 1 {
		times = "once"
	} else if r.Times > 1 {
		times = fmt.Sprintf("%d times", r.Times)
	}
	if r.Fault.Refuses || r.For == Everything {
		return fmt.Sprintf("%s, %s", r.Fault.Name, times)
	}
	return fmt.Sprintf("%s, %s for %s", r.Fault.Name, times, r.For)
}

func (r Rule) concerns(a *Answer) bool {
	switch {
	case r.Fault.Bend == nil, r.For&a.Kind == 0:
		return false
	case r.Fault.OfRanges && !a.Ranged():
		return false
	case r.Fault.OfBodies:
		return a.Method() == "GET" && a.Status < 300
	default:
		return true
	}
}

// active is a rule under way.
type active struct {
	Rule
	left int // of Times, where that is not Always
}

// take reports whether the rule acts on the answer, and counts it.
func (r *active) take(a *Answer) bool {
	if !r.concerns(a) || (r.Times != Always && r.left == 0) {
		return false
	}
	r.left--
	return true
}
