package client

import (
	"math/rand/v2"
	"time"
)

const (
	firstWait = 200 * time.Millisecond
	mostWait  = 30 * time.Second
)

// waitFor tells how long to wait before the nth attempt in a row, n from 1: twice as long each time, and a random
// part of up to a half less, so that the clients of a server that restarts do not all come at once.
func waitFor(n int) time.Duration {
	wait := mostWait
	if n <= 8 {
		wait = min(mostWait, firstWait<<(n-1))
	}
	return wait - rand.N(wait/2)
}
