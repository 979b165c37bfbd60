package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// procCPU returns the CPU seconds (user+sys, all threads) of pid, and the user/sys split (10 ms ticks).
// The total comes from /proc/PID/task/*/schedstat (ns) so short runs are not rounded to ticks.
func procCPU(pid int) (total, usr, sys float64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, 0
	}
	s := string(b)
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+2:])
	u, _ := strconv.ParseFloat(f[11], 64)
	k, _ := strconv.ParseFloat(f[12], 64)
	usr, sys = u/100, k/100
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	var ns float64
	for _, t := range tasks {
		if b, err := os.ReadFile(t); err == nil {
			ff := strings.Fields(string(b))
			if len(ff) > 0 {
				x, _ := strconv.ParseFloat(ff[0], 64)
				ns += x
			}
		}
	}
	return ns / 1e9, usr, sys
}

func rssKB(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	x, _ := strconv.ParseFloat(f[1], 64)
	return x * float64(os.Getpagesize()) / 1024
}

// sysCPU returns machine-wide busy seconds, steal seconds and softirq+irq seconds.
func sysCPU() (busy, steal, irq float64) {
	b, _ := os.ReadFile("/proc/stat")
	f := strings.Fields(strings.SplitN(string(b), "\n", 2)[0])
	g := func(i int) float64 { x, _ := strconv.ParseFloat(f[i], 64); return x / 100 }
	// user nice system idle iowait irq softirq steal
	busy = g(1) + g(2) + g(3) + g(6) + g(7)
	// the tick-sampled figure above misses short bursts; cpuacct's is exact (ns) where it is mounted
	if b, err := os.ReadFile("/sys/fs/cgroup/cpuacct/cpuacct.usage"); err == nil {
		if ns, err := strconv.ParseFloat(strings.TrimSpace(string(b)), 64); err == nil {
			busy = ns / 1e9
		}
	}
	return busy, g(8), g(6) + g(7)
}

func slabKB() float64 {
	b, _ := os.ReadFile("/proc/meminfo")
	for _, l := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(l, "Slab:") {
			x, _ := strconv.ParseFloat(strings.Fields(l)[1], 64)
			return x
		}
	}
	return 0
}

type snap struct {
	t                time.Time
	srv, srvU, srvS  float64
	gen, helper      float64
	busy, steal, irq float64
}

func takeSnap(pids, helpers []int) snap {
	var s snap
	for _, p := range pids {
		a, u, k := procCPU(p)
		s.srv += a
		s.srvU += u
		s.srvS += k
	}
	for _, p := range helpers {
		total, _, _ := procCPU(p)
		s.helper += total
	}
	s.gen, _, _ = procCPU(os.Getpid())
	s.busy, s.steal, s.irq = sysCPU()
	s.t = time.Now()
	return s
}

// waitQuiet blocks until the machine-wide CPU use stays under lim cores for 0.5 s, or max passes.
func waitQuiet(lim float64, max time.Duration) (waited float64, load float64) {
	st := time.Now()
	for {
		b0, _, _ := sysCPU()
		time.Sleep(500 * time.Millisecond)
		b1, _, _ := sysCPU()
		load = (b1 - b0) / 0.5
		if load <= lim || time.Since(st) > max {
			return time.Since(st).Seconds(), load
		}
	}
}
