package proxy

import (
	"runtime"
	"sync/atomic"
)

const (
	// roundOfTurns is what all who are answered at once are sent before each of them has its next turn.
	roundOfTurns = 16 << 20
	// leastTurn is worth a system call of its own.
	leastTurn = 64 << 10
)

// turns has many answers go out in turns, so that of those who want the same at once none has it much later than the others:
// who sends without end is otherwise only stopped by a client that takes it more slowly. A few are not held up, since the
// kernel takes less from them at once than their turn is.
type turns struct {
	answers atomic.Int64
}

// begin counts an answer, until end.
func (t *turns) begin() { t.answers.Add(1) }

func (t *turns) end() { t.answers.Add(-1) }

// share is how many bytes of an answer go out in a turn.
func (t *turns) share() int64 { return max(roundOfTurns/max(1, t.answers.Load()), leastTurn) }

// turn is that of one connection.
type turn struct {
	of *turns
	// sent are the bytes of this turn.
	sent int64
}

// left is what may go out before it ends, or somewhat more than that rather than a few bytes.
func (t *turn) left() int64 { return max(t.of.share()-t.sent, leastTurn) }

// took lets others have theirs when it has ended.
func (t *turn) took(n int64) {
	if t.sent += n; t.sent >= t.of.share() {
		t.sent = 0
		runtime.Gosched()
	}
}
