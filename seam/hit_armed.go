//go:build seam

package seam

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var handler atomic.Pointer[func(string)]

// Hit calls the handler armed by Handle or by the environment.
func Hit(name string) {
	if h := handler.Load(); h != nil {
		(*h)(name)
	}
}

// Handle arms every point with h and returns a function that disarms them.
func Handle(h func(name string)) (disarm func()) {
	handler.Store(&h)
	return func() { handler.Store(nil) }
}

var planted atomic.Pointer[string]

// Planted reports whether a test has planted this bug.
func Planted(bug string) bool {
	p := planted.Load()
	return p != nil && *p == bug
}

// Plant plants a bug and returns a function that takes it out.
func Plant(bug string) (remove func()) {
	planted.Store(&bug)
	return func() { planted.Store(nil) }
}

// PARLEY_SEAM=NAME:N kills the process with SIGKILL the Nth time the point NAME is hit. PARLEY_PLANT=BUG plants a bug.
func init() {
	if bug := os.Getenv("PARLEY_PLANT"); bug != "" {
		Plant(bug)
	}
	name, n, ok := strings.Cut(os.Getenv("PARLEY_SEAM"), ":")
	if !ok {
		return
	}
	left, err := strconv.ParseInt(n, 10, 64)
	if err != nil || left < 1 {
		panic("PARLEY_SEAM: want NAME:N with N of at least 1, not " + os.Getenv("PARLEY_SEAM"))
	}
	var count atomic.Int64
	Handle(func(at string) {
		if at == name && count.Add(1) == left {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	})
}
