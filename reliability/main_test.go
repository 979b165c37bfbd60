package reliability

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if cfg, ok := childConfigured(); ok {
		if err := serveChild(cfg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// seeded returns a source of random choices that a failing test can be repeated with.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64() >> 1
	if s := os.Getenv("PARLEY_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("PARLEY_SEED: %v", err)
		}
	}
	t.Logf("PARLEY_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// soak skips a test of full length unless it is asked for.
func soak(t *testing.T) {
	t.Helper()
	if s := os.Getenv("SOAK"); s == "" || s == "0" {
		t.Skip("SOAK=1 runs it")
	}
}
