//go:build seam && !race

package hub_test

const raceEnabled = false
