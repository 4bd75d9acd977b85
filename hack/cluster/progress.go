package main

import (
	"fmt"
	"os"
	"time"
)

// began is when the program began; progress counts from there.
var began = time.Now()

// step says what begins now. Progress goes to stderr, so that stdout has results only.
func step(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "[%6.1fs] %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
}
