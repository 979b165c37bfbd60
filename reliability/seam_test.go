//go:build seam

package reliability

const (
	// seamed says whether this build has crash points.
	seamed = true
	// shortKills is how many processes die in the short form: `make test` runs both builds.
	shortKills = 200
)
