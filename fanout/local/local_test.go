package local_test

import (
	"testing"

	"go.uber.org/goleak"

	"parley/fanout"
	"parley/fanout/fanouttest"
	"parley/fanout/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBus(t *testing.T) {
	fanouttest.Run(t, func(_ *testing.T, n int) []fanout.Bus {
		x := local.New()
		nodes := make([]fanout.Bus, n)
		for i := range nodes {
			nodes[i] = x.Node()
		}
		return nodes
	})
}
