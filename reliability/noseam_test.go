//go:build !seam

package reliability

const (
	// seamed says whether this build has crash points.
	seamed = false
	// shortKills is how many processes die in the short form: `make test` runs both builds.
	shortKills = 100
)
