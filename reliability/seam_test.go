//go:build seam

package reliability

const (
	// seamed says whether this build has crash points.
	seamed = true
	// shortKills is how many processes die in the short form: `make test` runs both builds.
	shortKills = 200
	// shortSieges is how many of them die under a council.
	shortSieges = 50
)
