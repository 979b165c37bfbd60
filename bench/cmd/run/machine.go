package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// quietCores is what a machine that does nothing may use.
const quietCores = 0.15

// waitQuiet waits until the machine does nothing else, as long as there is patience left.
func (l *lab) waitQuiet(ctx context.Context) {
	const slice = 500 * time.Millisecond
	for l.patience > 0 && ctx.Err() == nil {
		before := busySeconds()
		time.Sleep(slice)
		if (busySeconds()-before)/slice.Seconds() <= quietCores {
			return
		}
		l.patience -= slice
	}
}

// busySeconds is the time the CPUs of this machine have worked.
func busySeconds() float64 {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	var user, nice, system, idle, iowait, irq, softirq float64
	_, _ = fmt.Sscanf(string(stat), "cpu %f %f %f %f %f %f %f", &user, &nice, &system, &idle, &iowait, &irq, &softirq)
	const ticksPerSecond = 100
	return (user + nice + system + irq + softirq) / ticksPerSecond
}

// hardwareCounters says whether perf can count instructions here. Many virtual machines do not let it.
func hardwareCounters() bool {
	out, err := exec.Command("perf", "stat", "-x", ",", "-e", "instructions:u", "true").CombinedOutput()
	if err == nil && !strings.Contains(string(out), "<not supported>") && !strings.Contains(string(out), "<not counted>") {
		return true
	}
	fmt.Fprintln(os.Stderr, "No instructions are counted: perf is missing, or this machine has no hardware counters for it.",
		"CPU time and allocations are recorded instead.")
	return false
}
