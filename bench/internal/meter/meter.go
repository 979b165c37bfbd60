// Package meter lets a server of this module count its allocations between two signals. Nothing of it is in the
// product: cmd/metered is the same server with a meter, and rawserver has one as well.
package meter

import (
	"encoding/json"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"
)

// A Reading is what the process has allocated so far.
type Reading struct {
	Mallocs uint64 `json:"mallocs"`
	Bytes   uint64 `json:"bytes"`
}

// Prefix begins the line of each reading on standard error.
const Prefix = "meter "

// ProfileTo names the environment variable with the file of a CPU profile from the first signal to the second.
const ProfileTo = "BENCH_PROFILE"

// Watch writes a Reading to standard error at each SIGUSR1. Until then it costs nothing.
func Watch() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		for n := 0; ; n++ {
			<-signals
			profile(n)
			read()
		}
	}()
}

func read() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	line, _ := json.Marshal(Reading{m.Mallocs, m.TotalAlloc})
	_, _ = os.Stderr.WriteString(Prefix + string(line) + "\n")
}

func profile(n int) {
	name := os.Getenv(ProfileTo)
	switch {
	case name == "":
	case n == 0:
		if f, err := os.Create(name); err == nil {
			_ = pprof.StartCPUProfile(f)
		}
	case n == 1:
		pprof.StopCPUProfile()
	}
}
