package contender

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the processor time that the process and its children have used, in user and kernel mode, threads that ended
// included.
func (p *process) CPU() (time.Duration, error) {
	var sum time.Duration
	if p == nil {
		return 0, nil
	}
	for _, pid := range family(p.command.Process.Pid) {
		var used unix.Timespec
		// clock_getcpuclockid(3): the clock of a process's CPU time, to the nanosecond, where /proc/PID/stat has ticks of 10 ms.
		if err := unix.ClockGettime(int32(^pid<<3|2), &used); err != nil {
			return 0, fmt.Errorf("reading the CPU time of process %d: %w", pid, err)
		}
		sum += time.Duration(used.Nano())
	}
	return sum, nil
}

// PeakMemory is the sum of the largest resident sets that the process and its children had, in bytes. Pages that they share
// count for each.
func (p *process) PeakMemory() (int64, error) { return p.memory("VmHWM") }

// PrivateMemory is the sum of the anonymous pages that the process and its children have now, in bytes: what nobody shares
// with them, and no file gives back.
func (p *process) PrivateMemory() (int64, error) { return p.memory("RssAnon") }

func (p *process) memory(field string) (int64, error) {
	var sum int64
	if p == nil {
		return 0, nil
	}
	for _, pid := range family(p.command.Process.Pid) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, fmt.Errorf("reading the memory of process %d: %w", pid, err)
		}
		bytes, err := sizeOf(field, status)
		if err != nil {
			return 0, fmt.Errorf("reading the memory of process %d: %w", pid, err)
		}
		sum += bytes
	}
	return sum, nil
}

// sizeOf reads a field in bytes, from /proc/PID/status.
func sizeOf(field string, status []byte) (int64, error) {
	_, rest, found := bytes.Cut(status, []byte(field+":"))
	fields := strings.Fields(string(rest))
	if !found || len(fields) == 0 {
		return 0, fmt.Errorf("there is no %s in %d bytes", field, len(status))
	}
	kibibytes, err := strconv.ParseInt(fields[0], 10, 64)
	return kibibytes << 10, err
}

// family is a process and those below it.
func family(pid int) []int {
	all := []int{pid}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		content, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(content)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(all, family(child)...)
			}
		}
	}
	return all
}
